/* How every value of a graph lies in memory: which values are views of others, which are written straight into a slice of a concatenation,
 * and which strides the rest get. Independent of the device; the memory plan then gives every buffer its place. */
#ifndef FOVEA_GRAPH_LAYOUT_H
#define FOVEA_GRAPH_LAYOUT_H

#include "ir/graph.h"

typedef enum FvPlace {
  FV_PLACE_NONE = 0,
  FV_PLACE_CONSTANT, /* tensor.data is set */
  FV_PLACE_BUFFER,   /* in buffer `buffer`, `offset` bytes from its start */
} FvPlace;

typedef struct FvSlot {
  FvPlace place;
  int buffer;
  int64_t offset;  /* bytes */
  FvTensor tensor; /* dims and strides; data only of constants */
  bool is_view;    /* its producer has nothing to do */
} FvSlot;

typedef struct FvBuffer {
  int64_t bytes;
  int first, last; /* steps between which it is in use, both included; filled by who makes steps */
  int64_t offset;  /* in the arena, 64-byte aligned; fv_memory_plan fills it */
} FvBuffer;

typedef struct FvLayout {
  FvSlot *slots; /* by FvValue.slot */
  int slot_count, slot_capacity;
  FvBuffer *buffers;
  int buffer_count, buffer_capacity;
} FvLayout;

/* Lays out every value of a graph whose shapes are known; numbers values (FvValue.slot). Frees nothing on failure: call fv_layout_finish. */
int fv_layout_create(FvGraph *graph, FvLayout *layout, FvError *err);
void fv_layout_finish(FvLayout *layout);

/* Adds a buffer and a slot in it for a copy of `like` with compact channels-last (or, for other ranks, row-major) strides; returns the slot or -1.
 * Slots never move; there is room for one copy of every operator's input. */
int fv_layout_add_copy(FvLayout *layout, const FvTensor *like);
/* Adds a buffer; returns its number or -1. */
int fv_layout_add_buffer(FvLayout *layout, int64_t bytes);

/* Gives every buffer an offset so that buffers in use at the same step never overlap: largest first, lowest gap that fits.
 * Returns the arena's size in bytes, or a negative code. */
int64_t fv_memory_plan(FvBuffer *buffers, int count, FvError *err);

#endif
