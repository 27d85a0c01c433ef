/* What a reader has acknowledged: ranges of sequences per priority, kept in a file. */
#ifndef FOVEA_SPOOL_CURSOR_H
#define FOVEA_SPOOL_CURSOR_H

#include <stdbool.h>

#include <fovea/spool.h>

#include "spool/format.h"

typedef struct FvRange {
  uint64_t first, last; /* inclusive */
} FvRange;

typedef struct FvCursor FvCursor;
struct FvCursor {
  FvCursor *next;
  char name[FV_SPOOL_MAX_NAME + 1];
  FvRange *ranges[FV_SPOOL_PRIORITIES]; /* ascending, apart; room for FV_CURSOR_MAX_RANGES */
  int counts[FV_SPOOL_PRIORITIES];
  bool dirty;
  bool in_use; /* a reader of this name is open */
};

bool fv_cursor_name_ok(const char *name);
FvCursor *fv_cursor_create(const char *name); /* NULL: no memory */
void fv_cursor_destroy(FvCursor *cursor);
/* Where there is no readable file the cursor stays empty. directory is a path. */
void fv_cursor_load(FvCursor *cursor, const char *directory);
/* What its file is to hold, to be written (fv_cursor_write) when nobody waits. */
typedef struct FvCursorImage {
  char name[FV_SPOOL_MAX_NAME + 1];
  uint8_t *bytes; /* NULL: out of memory */
  size_t size;
} FvCursorImage;
FvCursorImage fv_cursor_encode(const FvCursor *cursor);
int fv_cursor_write(const FvCursorImage *image, const char *directory, FvError *err);
/* When there are too many ranges the newest, shortest one is forgotten: its records are given again, none is lost. */
void fv_cursor_add(FvCursor *cursor, int priority, uint64_t first, uint64_t last);
/* The range that holds a sequence, or NULL. */
const FvRange *fv_cursor_find(const FvCursor *cursor, int priority, uint64_t sequence);
/* How many of first..last are acknowledged. */
uint64_t fv_cursor_count(const FvCursor *cursor, int priority, uint64_t first, uint64_t last);
/* Nothing below sequence exists any more: it all counts as one range. */
void fv_cursor_trim(FvCursor *cursor, int priority, uint64_t sequence);

#endif
