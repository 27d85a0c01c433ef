#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, OBJECT_ALIGNMENT = 16, BLOCK_BYTES = 32 << 10, ALONE_BYTES = 4 << 10 /* from here on a block of one's own */ };

struct FvArenaBlock {
  FvArenaBlock *next;
  size_t used, size; /* of the memory behind this header */
  char pad[ALIGNMENT - 3 * sizeof(size_t)];
};
_Static_assert(sizeof(FvArenaBlock) % ALIGNMENT == 0, "memory behind the header must stay aligned");
_Static_assert(BLOCK_BYTES % ALIGNMENT == 0 && FV_ARENA_SLACK % ALIGNMENT == 0, "sizes of blocks are multiples of their alignment");

void fv_arena_init(FvArena *arena) { *arena = (FvArena){0}; }

void fv_arena_finish(FvArena *arena) {
  for (FvArenaBlock *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  *arena = (FvArena){0};
}

static size_t rounded(size_t size, size_t alignment) { return (size + alignment - 1) / alignment * alignment; }

/* A block for one large piece goes behind the first, which still has room for small ones. */
static FvArenaBlock *add_block(FvArena *arena, size_t size) {
  bool alone = size >= ALONE_BYTES;
  size_t room = alone ? rounded(size, ALIGNMENT) : BLOCK_BYTES;
  FvArenaBlock *block = aligned_alloc(ALIGNMENT, sizeof *block + room + FV_ARENA_SLACK);
  if (!block) return NULL;
  FvArenaBlock **place = alone && arena->blocks ? &arena->blocks->next : &arena->blocks;
  *block = (FvArenaBlock){.next = *place, .size = room};
  return *place = block;
}

static void *take(FvArena *arena, size_t size, size_t alignment) {
  if (size > SIZE_MAX / 2) return NULL;
  FvArenaBlock *block = arena->blocks;
  size_t at = block ? rounded(block->used, alignment) : 0;
  if (!block || size >= ALONE_BYTES || at > block->size || block->size - at < size) {
    at = 0;
    block = add_block(arena, size);
  }
  if (!block) return NULL;
  block->used = at + size;
  arena->used_bytes += size;
  return memset((char *)(block + 1) + at, 0, size);
}

void *fv_arena_alloc(FvArena *arena, size_t size) { return take(arena, size, ALIGNMENT); }

void *fv_arena_object(FvArena *arena, size_t size) { return take(arena, size, OBJECT_ALIGNMENT); }

void *fv_arena_array(FvArena *arena, size_t count, size_t size) {
  size_t bytes;
  return __builtin_mul_overflow(count, size, &bytes) ? NULL : fv_arena_object(arena, bytes);
}

char *fv_arena_strndup(FvArena *arena, const char *text, size_t length) {
  char *copy = length < SIZE_MAX ? take(arena, length + 1, 1) : NULL;
  if (copy) memcpy(copy, text, length);
  return copy;
}

char *fv_arena_printf(FvArena *arena, const char *format, ...) {
  char most[256]; /* enough for nearly all */
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(most, sizeof most, format, args);
  char *text = length < 0 ? NULL : take(arena, (size_t)length + 1, 1);
  if (text && (size_t)length < sizeof most) memcpy(text, most, (size_t)length);
  else if (text) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  va_end(args);
  return text;
}
