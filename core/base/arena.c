#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, BLOCK_BYTES = 64 << 10 };

struct FvArenaBlock {
  FvArenaBlock *next;
  size_t used, size; /* of the memory behind this header */
  char pad[ALIGNMENT - 3 * sizeof(size_t)];
};
_Static_assert(sizeof(FvArenaBlock) % ALIGNMENT == 0, "memory behind the header must stay aligned");

void fv_arena_init(FvArena *arena) { *arena = (FvArena){0}; }

void fv_arena_finish(FvArena *arena) {
  for (FvArenaBlock *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  *arena = (FvArena){0};
}

static FvArenaBlock *add_block(FvArena *arena, size_t at_least) {
  size_t size = at_least > BLOCK_BYTES ? at_least : BLOCK_BYTES;
  FvArenaBlock *block = aligned_alloc(ALIGNMENT, sizeof *block + size);
  if (!block) return NULL;
  *block = (FvArenaBlock){.next = arena->blocks, .size = size};
  arena->blocks = block;
  return block;
}

void *fv_arena_alloc(FvArena *arena, size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  FvArenaBlock *block = arena->blocks;
  if (!block || block->size - block->used < rounded) block = add_block(arena, rounded);
  if (!block) return NULL;
  void *memory = (char *)(block + 1) + block->used;
  block->used += rounded;
  arena->used_bytes += rounded;
  return memset(memory, 0, size);
}

void *fv_arena_array(FvArena *arena, size_t count, size_t size) {
  size_t bytes;
  return __builtin_mul_overflow(count, size, &bytes) ? NULL : fv_arena_alloc(arena, bytes);
}

char *fv_arena_strndup(FvArena *arena, const char *text, size_t length) {
  char *copy = fv_arena_alloc(arena, length + 1);
  if (copy) memcpy(copy, text, length);
  return copy;
}

char *fv_arena_printf(FvArena *arena, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  char *text = length < 0 ? NULL : fv_arena_alloc(arena, (size_t)length + 1);
  if (text) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  va_end(args);
  return text;
}
