/* A pipeline as data: elements in a row, with branches behind a tee. Made from a camera or from the raw form; printed
 * as gst-launch text and built as a GstPipeline from the same list, so that the two cannot differ. */
#ifndef FOVEA_RUNNER_CHAIN_H
#define FOVEA_RUNNER_CHAIN_H

#include "problems.h"

typedef struct FvProperty {
  char *name; /* "child::property" reaches a child of a bin as soon as it appears */
  char *value;
  FvPlace place;
  gboolean secret;
} FvProperty;

typedef struct FvStep {
  char *factory; /* NULL for a tee with branches */
  char *name;    /* or NULL */
  FvPlace place;
  GPtrArray *properties; /* of FvProperty */
  GPtrArray *branches;   /* of GPtrArray of FvStep; NULL unless a tee */
} FvStep;

/* A list of FvStep that frees them. */
GPtrArray *fv_chain_new(void);
FvStep *fv_chain_add(GPtrArray *chain, const char *factory, const char *name, FvPlace place);
void fv_step_set(FvStep *step, const char *name, const char *value, FvPlace place);
void fv_step_printf(FvStep *step, const char *name, FvPlace place, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* Makes step a tee, or adds to one: returns the new, empty branch. */
GPtrArray *fv_step_branch(FvStep *tee);

/* Appends every step that is an element, branches in their order: borrowed. */
void fv_chain_flatten(GPtrArray *chain, GPtrArray *steps);

/* gst-launch-1.0 arguments on one line, quoted for a shell. Secrets and passwords in URIs are shown as ***. */
char *fv_chain_text(GPtrArray *chain);

#endif
