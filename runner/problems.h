/* What is wrong with a file, collected so that a user sees everything at once, each with its place and the nearest valid word. */
#ifndef FOVEA_RUNNER_PROBLEMS_H
#define FOVEA_RUNNER_PROBLEMS_H

#include <glib.h>

#define FV_MAX_PROBLEMS 100 /* further ones are not kept */

typedef struct FvPlace {
  int line, column; /* from 1; 0: the file as a whole */
} FvPlace;

typedef struct FvProblem {
  FvPlace place;
  char *message; /* one sentence without a full stop, never with a secret */
} FvProblem;

typedef struct FvProblems {
  char *file;
  GPtrArray *items; /* of FvProblem, in the order found */
} FvProblems;

void fv_problems_init(FvProblems *problems, const char *file);
void fv_problems_finish(FvProblems *problems);
void fv_problems_add(FvProblems *problems, FvPlace place, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* "FILE:line:col: error: message"; free with g_free(). */
char *fv_problems_line(const FvProblems *problems, guint index);

#endif
