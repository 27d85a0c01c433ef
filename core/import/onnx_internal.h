/* What the files of the ONNX importer share. */
#ifndef FOVEA_IMPORT_ONNX_INTERNAL_H
#define FOVEA_IMPORT_ONNX_INTERNAL_H

#include "ir/names.h"
#include "import/onnx.h"
#include "import/onnx.pb-c.h"

typedef struct FvImporter {
  FvGraph *graph;
  FvNames names;
  const Onnx__ModelProto *proto; /* unpacked into the graph's arena: tensors may borrow its bytes */
  const char *directory;         /* of external data; NULL: refused */
  int64_t external_bytes;        /* read so far */
  int64_t parameters;
  FvError *err;
} FvImporter;

/* ONNX's numbers of element types. FV_DTYPE_NONE for those that we do not have. */
FvDtype fv_onnx_dtype(int32_t number);
const char *fv_onnx_dtype_name(int32_t number);

/* Reads one tensor into the graph's arena (or borrows from the message, which lives there). where says what it is, for messages:
 * "initialiser 'w'". */
int fv_onnx_read_tensor(FvImporter *in, const Onnx__TensorProto *proto, const char *where, FvTensor *tensor);
/* Fills node->attrs. Errors do not name the node yet. */
int fv_onnx_read_attributes(FvImporter *in, const Onnx__NodeProto *proto, FvNode *node);
/* Inputs, initialisers, nodes and outputs. */
int fv_onnx_read_graph(FvImporter *in, const Onnx__GraphProto *proto);

static inline int fv_onnx_no_memory(const FvImporter *in) { return fv_error_set(in->err, FV_ERR_NO_MEMORY, "out of memory"); }

#endif
