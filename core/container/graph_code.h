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

/* Appends to both. The graph's value slots are used as scratch numbers. */
int fv_graph_encode(FvGraph *graph, const FvGraphHead *head, FvWeightKind weights, FvBytes *graph_bytes, FvBytes *weight_bytes, FvError *err);
/* Reads both into *file, whose graph is new, sorted, and borrows nothing. Takes the bytes for hostile: a signature says who wrote them, not that
 * they are right. Errors name the section. */
int fv_graph_decode(const void *graph_bytes, size_t graph_size, const void *weight_bytes, size_t weight_size, FvModelFile *file, FvError *err);

#endif
