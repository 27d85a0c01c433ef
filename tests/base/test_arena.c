#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

static void test_alignment(void) {
  FvArena arena;
  fv_arena_init(&arena);
  for (size_t size = 0; size < 300; size += 7) {
    char *memory = fv_arena_alloc(&arena, size);
    g_assert_nonnull(memory);
    g_assert_cmpuint((guintptr)memory % 64, ==, 0);
    for (size_t i = 0; i < size; i++) g_assert_cmpint(memory[i], ==, 0);
    memset(memory, 0xff, size);
    char *object = fv_arena_object(&arena, size);
    g_assert_nonnull(object);
    g_assert_cmpuint((guintptr)object % 16, ==, 0);
    for (size_t i = 0; i < size; i++) g_assert_cmpint(object[i], ==, 0);
    memset(object, 0xff, size);
  }
  fv_arena_finish(&arena);
}

/* Blocks of every size keep what was written into them while others come and go. */
static void test_separate(void) {
  enum { COUNT = 200 };
  FvArena arena;
  unsigned char *parts[COUNT];
  fv_arena_init(&arena);
  for (int i = 0; i < COUNT; i++) {
    parts[i] = fv_arena_alloc(&arena, (size_t)i * 1999);
    memset(parts[i], i, (size_t)i * 1999);
  }
  for (int i = 0; i < COUNT; i++)
    for (int j = 0; j < i * 1999; j++) g_assert_cmpint(parts[i][j], ==, i);
  g_assert_cmpuint(arena.used_bytes, >=, 1999 * (COUNT * (COUNT - 1) / 2));
  fv_arena_finish(&arena);
  g_assert_cmpuint(arena.used_bytes, ==, 0);
}

/* A large piece does not end the block that small ones are taken from. */
static void test_large_between_small(void) {
  FvArena arena;
  fv_arena_init(&arena);
  char *before = fv_arena_object(&arena, 16), *large = fv_arena_alloc(&arena, 1 << 20), *behind = fv_arena_object(&arena, 16);
  g_assert_cmpuint((guintptr)large % 64, ==, 0);
  g_assert_true(behind == before + 16);
  fv_arena_finish(&arena);
}

static void test_overflow(void) {
  FvArena arena;
  fv_arena_init(&arena);
  g_assert_null(fv_arena_alloc(&arena, SIZE_MAX));
  g_assert_null(fv_arena_alloc(&arena, SIZE_MAX - 63));
  g_assert_null(fv_arena_object(&arena, SIZE_MAX));
  g_assert_null(fv_arena_array(&arena, SIZE_MAX / 2, 3));
  g_assert_null(fv_arena_array(&arena, (size_t)1 << 33, (size_t)1 << 33));
  g_assert_nonnull(fv_arena_array(&arena, 0, 8));
  fv_arena_finish(&arena);
}

static void test_strings(void) {
  FvArena arena;
  fv_arena_init(&arena);
  g_assert_cmpstr(fv_arena_strndup(&arena, "pupil", 3), ==, "pup");
  g_assert_cmpstr(fv_arena_strndup(&arena, "", 0), ==, "");
  g_assert_cmpstr(fv_arena_printf(&arena, "%s-%d", "node", 12), ==, "node-12");
  for (int length = 250; length < 260; length++) { /* around the size of the first attempt */
    char *text = g_strnfill((gsize)length, 'n');
    g_assert_cmpstr(fv_arena_printf(&arena, "%s%d", text, 7) + length, ==, "7");
    g_assert_true(g_str_has_prefix(fv_arena_printf(&arena, "%s", text), text));
    g_free(text);
  }
  fv_arena_finish(&arena);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/arena/memory-is-aligned-and-zero", test_alignment);
  g_test_add_func("/arena/parts-do-not-overlap", test_separate);
  g_test_add_func("/arena/a-large-piece-lies-apart", test_large_between_small);
  g_test_add_func("/arena/overflow-gives-null", test_overflow);
  g_test_add_func("/arena/strings", test_strings);
  return g_test_run();
}
