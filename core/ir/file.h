/* What a model file holds once it is read, whatever its format, and the checks that all readers share. */
#ifndef FOVEA_IR_FILE_H
#define FOVEA_IR_FILE_H

#include "ir/graph.h"

typedef struct FvModelPair {
  const char *key, *value;
} FvModelPair;

/* How a file stores a constant. */
typedef struct FvStoredConstant {
  const FvTensor *tensor;
  const char *form, *coder; /* "half", "none+rans" */
  double bytes;             /* its share where it is stored together with others */
} FvStoredConstant;

/* Everything lives in the graph's arena. */
typedef struct FvModelFile {
  FvGraph *graph; /* sorted; shapes as declared, -1 where open */
  char *producer; /* exporter's name and version; may be empty */
  int opset;          /* of the default domain */
  int node_count;     /* in the file */
  int64_t parameters; /* elements of all initialisers */
  FvModelPair *metadata;
  int metadata_count;
  FvStoredConstant *stored; /* of a .fovea file; NULL: constants are stored as they are */
  int stored_count;
} FvModelFile;

/* May op have this many inputs (those left out at the end not counted) and outputs? Errors do not name the node. */
int fv_op_check_counts(const FvOp *op, size_t inputs, size_t outputs, FvError *err);
/* Names live on in messages, lists, JSON and file names: bounded, and clean. what says whose it is. */
int fv_name_check(const char *name, const char *what, FvError *err);

#endif
