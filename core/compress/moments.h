/* Gathering of second moments: what a layer multiplies its weights with, patch by patch. */
#ifndef FOVEA_COMPRESS_MOMENTS_H
#define FOVEA_COMPRESS_MOMENTS_H

#include "compress/calibrate.h"

/* One layer's sums. Upper triangles only until fv_moments_finish. */
typedef struct FvMomentSums {
  const FvNode *node;
  FvMoments moments;  /* matrix and mean point to what follows */
  float *matrix, *mean;
  float *patches;     /* a block of them, size numbers each */
  int per_picture;    /* patches taken of one picture, at most */
} FvMomentSums;

/* Does the node multiply constant f32 weights with computed patches? Fills groups and size. */
bool fv_moments_of_node(const FvNode *node, FvMoments *moments);
/* Bytes that the sums of such a node need; INT64_MAX when that does not fit. */
int64_t fv_moments_bytes(const FvMoments *moments);
int fv_moments_init(FvMomentSums *sums, const FvNode *node, FvArena *arena, FvError *err);
/* Adds patches of input 0 as it is in the session; output: of the node, for its positions. Which ones depends on the picture's number only. */
void fv_moments_add(FvMomentSums *sums, const FvTensor *input, const FvTensor *output, int picture);
/* Sums to means, and both halves of the matrices. */
void fv_moments_finish(FvMomentSums *sums);

#endif
