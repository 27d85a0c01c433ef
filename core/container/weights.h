/* Reading the weights section: tensors are told one by one where their elements lie, then all blocks are decoded at once, on several threads. */
#ifndef FOVEA_CONTAINER_WEIGHTS_H
#define FOVEA_CONTAINER_WEIGHTS_H

#include "base/arena.h"
#include "container/graph_code.h"
#include "container/storage.h"

typedef struct FvWeightTensor {
  const FvTensor *tensor;
  FvStorage storage;
  uint64_t first; /* element of the block */
  int block, next; /* next: the following tensor of the same block, -1 at its end */
} FvWeightTensor;

typedef struct FvWeightLoad {
  FvWeightBytes section;
  bool borrows; /* elements that are stored as they are stay where they are */
  FvBlock *blocks;
  struct FvWeightUse {
    uint64_t taken;  /* elements */
    int first, last; /* tensors; -1: none */
  } *uses;           /* by block */
  int block_count;
  FvWeightTensor *tensors;
  int count, capacity;
} FvWeightLoad;

/* Reads the list of blocks. Release with fv_weights_finish, also after an error. */
int fv_weights_open(FvWeightLoad *load, FvWeightBytes section, FvByteReader *reader, FvError *err);
void fv_weights_finish(FvWeightLoad *load);
/* Gives tensor (of one element or more, its type and shape known) the next elements of a block, and memory for them; what fv_storage_fits holds. storage->codebook must live
 * until fv_weights_decode. FV_ERR_FORMAT: there are not so many left; FV_ERR_NO_MEMORY. */
int fv_weights_take(FvWeightLoad *load, FvArena *arena, FvTensor *tensor, const FvStorage *storage, int block);
/* Fills the memory of all tensors. Every element of every block must have been taken. */
int fv_weights_decode(const FvWeightLoad *load, FvError *err);
/* How each tensor is stored, for those who ask; false when memory is out. */
bool fv_weights_describe(const FvWeightLoad *load, FvModelFile *file);

#endif
