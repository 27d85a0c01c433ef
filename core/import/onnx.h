/* ONNX files to graphs.
 *
 * Everything in the file is taken for hostile: counts, sizes, names and indices are bounded by <fovea/limits.h>, data must be as long as its
 * shape says, and every mistake is an error that names the node or tensor. */
#ifndef FOVEA_IMPORT_ONNX_H
#define FOVEA_IMPORT_ONNX_H

#include "ir/file.h"

/* The newest version of the default operator set that the operators here were written against. */
#define FV_ONNX_MAX_OPSET 21
#define FV_ONNX_MAX_ATTRIBUTES 256 /* of one node */
#define FV_ONNX_MAX_METADATA 1024  /* key-value pairs */

/* Parses size bytes, which need not outlive the call. directory is where external data may lie; NULL refuses it.
 * FV_ERR_FORMAT, FV_ERR_UNSUPPORTED, FV_ERR_LIMIT, FV_ERR_IO (external data), FV_ERR_NO_MEMORY. */
int fv_onnx_read(const void *data, size_t size, const char *directory, FvModelFile *model, FvError *err);

/* Reads a file that holds one bare tensor (the inputs and outputs of ONNX's conformance cases). The data lives in graph's arena. */
int fv_onnx_read_value(const void *data, size_t size, FvGraph *graph, FvTensor *tensor, FvError *err);

#endif
