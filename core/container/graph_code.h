/* Graphs to and from the sections graph and weights. */
#ifndef FOVEA_CONTAINER_GRAPH_CODE_H
#define FOVEA_CONTAINER_GRAPH_CODE_H

#include <fovea/container.h>

#include "container/byte_io.h"
#include "ir/file.h"

/* What the writer stores beside the graph. */
typedef struct FvGraphHead {
  const char *producer;
  int opset;
} FvGraphHead;

/* Appends to both; coders are for the streams of the weights. The graph's value slots are used as scratch numbers. */
int fv_graph_encode(FvGraph *graph, const FvGraphHead *head, FvWeightKind weights, const FvCoderLimits *coders, FvBytes *graph_bytes, FvBytes *weight_bytes, FvError *err);

typedef struct FvWeightBytes {
  const void *data;
  size_t size;
  bool stays; /* data lives as long as the graph will, with 64 readable bytes behind: tensors may be borrowed from it */
} FvWeightBytes;
/* Reads both into *file, whose graph is new and sorted; *borrows (may be NULL where data does not stay) says whether tensors lie in weights.data. Takes the bytes for hostile: a
 * signature says who wrote them, not that they are right. Errors name the section. */
int fv_graph_decode(const void *graph_bytes, size_t graph_size, FvWeightBytes weights, FvModelFile *file, bool *borrows, FvError *err);

#endif
