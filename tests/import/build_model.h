/* Small ONNX files, built field by field. A builder's messages live until build_free(). */
#ifndef FOVEA_TESTS_BUILD_MODEL_H
#define FOVEA_TESTS_BUILD_MODEL_H

#include <glib.h>

#include <fovea/fovea.h>

#include "import/onnx.pb-c.h"

typedef struct Build {
  GPtrArray *memory;
  Onnx__ModelProto model;
  Onnx__GraphProto graph;
} Build;

void build_init(Build *build, int opset);
void build_free(Build *build);
/* rank -1: no shape. dims of -1 are written as a symbol. */
void build_input(Build *build, const char *name, int type, int rank, const int64_t *dims);
void build_output(Build *build, const char *name);
/* Comma-separated names; "" between commas leaves one out. */
Onnx__NodeProto *build_node(Build *build, const char *type, const char *name, const char *inputs, const char *outputs);
Onnx__AttributeProto *build_attribute(Build *build, Onnx__NodeProto *node, const char *name, int type);
void build_int(Build *build, Onnx__NodeProto *node, const char *name, int64_t value);
/* An initialiser without data. */
Onnx__TensorProto *build_tensor(Build *build, const char *name, int type, int rank, const int64_t *dims);
void build_raw(Build *build, Onnx__TensorProto *tensor, const void *data, size_t size);
void build_external(Build *build, Onnx__TensorProto *tensor, const char *key, const char *value);
void *build_alloc(Build *build, size_t size);
char *build_string(Build *build, const char *text);
GBytes *build_pack(Build *build);

/* Input x f32[1,3,4,4], Conv with w f32[2,3,1,1] and b, Relu, output y. */
void build_small(Build *build);
/* That model, opened under a name. */
FvModel *build_small_model(const char *name);

/* Opens; on success drops the model. Returns the code, and the sentence in err. */
int open_bytes(GBytes *bytes, FvError *err);
/* Packs and opens; expects `code` and every one of the NULL-terminated words in the sentence. */
void expect_error(Build *build, int code, ...);
#define EXPECT_ERROR(build, code, ...) expect_error(build, code, __VA_ARGS__, NULL)

/* TensorProto.DataType and AttributeProto.AttributeType. */
enum { FLOAT = 1, UINT8 = 2, INT8 = 3, INT32 = 6, INT64 = 7, STRING = 8, BOOL = 9, FLOAT16 = 10, DOUBLE = 11, UINT32 = 12, UINT64 = 13, BFLOAT16 = 16 };
enum { ATTR_FLOAT = 1, ATTR_INT, ATTR_STRING, ATTR_TENSOR, ATTR_GRAPH, ATTR_FLOATS, ATTR_INTS };

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

#endif
