/* How the elements of a tensor are written: the narrowest form that gives them back to the bit. */
#ifndef FOVEA_CONTAINER_STORAGE_H
#define FOVEA_CONTAINER_STORAGE_H

#include <fovea/tensor.h>

#include "container/blocks.h"
#include "container/format.h"

enum { FV_CODEBOOK_MAX = 256 };

/* What stands beside the elements. */
typedef struct FvStorage {
  FvTensorStorage form;
  int64_t base;      /* GRID: smallest index */
  unsigned entries;  /* CODEBOOK: 1..256 */
  unsigned zero;     /* CODEBOOK: the entry of level 0 */
  bool half_entries; /* CODEBOOK: entries are written as binary16 */
  const float *codebook; /* CODEBOOK: room for 256, whatever the number of entries */
} FvStorage;

const char *fv_storage_name(FvTensorStorage form);

/* A tensor with one element or more (row-major) in its narrowest form; with round_to_half an f32 one is rounded to binary16 where that holds its values. elements is malloc'ed, in
 * little-endian order; NULL when memory is out. */
typedef struct FvPacked {
  FvStorage storage;
  FvBlockKind kind;
  void *elements;
  float codebook[FV_CODEBOOK_MAX]; /* storage.codebook points here */
} FvPacked;
void fv_storage_pack(const FvTensor *tensor, bool round_to_half, FvPacked *packed);

/* The width of a block's elements fits the form and the tensor's type? */
bool fv_storage_fits(const FvStorage *storage, FvDtype dtype, unsigned width);
/* Elements of so many bytes into tensor->data. False when one has no meaning: off the grid, beyond the codebook or the type. */
bool fv_storage_unpack(const FvStorage *storage, const uint8_t *elements, unsigned width, const FvTensor *tensor);

#endif
