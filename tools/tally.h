/* How often each class was found. */
#ifndef FOVEA_TOOLS_TALLY_H
#define FOVEA_TOOLS_TALLY_H

#include <glib.h>
#include <stdio.h>

typedef struct FvTally {
  GHashTable *classes; /* label → counts */
  guint64 frames, objects;
} FvTally;

void fv_tally_init(FvTally *tally);
void fv_tally_finish(FvTally *tally);
/* One frame's labels come between begin and the next begin; labels are kept by pointer (static storage). */
void fv_tally_begin_frame(FvTally *tally);
void fv_tally_add(FvTally *tally, const char *label, double score);
/* A table with a line for each class, most frequent first; nothing when nothing was found. */
void fv_tally_print(const FvTally *tally, FILE *to);

#endif
