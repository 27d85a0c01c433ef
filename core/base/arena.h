/* Bump allocation for things that die together (a graph, a plan). Not thread-safe. */
#ifndef FOVEA_BASE_ARENA_H
#define FOVEA_BASE_ARENA_H

#include <stddef.h>

typedef struct FvArenaBlock FvArenaBlock;
typedef struct FvArena {
  FvArenaBlock *blocks;
  size_t used_bytes; /* handed out so far */
} FvArena;

void fv_arena_init(FvArena *arena);
void fv_arena_finish(FvArena *arena);
/* Behind everything that an arena hands out so many bytes may be read, whatever they are: kernels load whole vectors. */
enum { FV_ARENA_SLACK = 64 };

/* Zeroed memory aligned to 64 bytes, for numbers that kernels read, or NULL when memory is out. size 0 gives a valid pointer. */
void *fv_arena_alloc(FvArena *arena, size_t size);
/* The same aligned to 16 bytes, for structs: graphs are made of thousands of them. */
void *fv_arena_object(FvArena *arena, size_t size);
/* count elements, as an object; NULL when the product overflows. */
void *fv_arena_array(FvArena *arena, size_t count, size_t size);
/* A NUL-terminated copy of length bytes. */
char *fv_arena_strndup(FvArena *arena, const char *text, size_t length);
char *fv_arena_printf(FvArena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
