/* DepthToSpace and SpaceToDepth: cells of pixels against groups of channels. */
#include <string.h>

#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "ops/views.h"

static int read_block(FvNode *node, FvInfer *infer) {
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0) return code;
  FvDepthSpaceParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->block = fv_node_int(node, "blocksize", 0);
  if (params->block < 1 || params->block > 4096) return fv_infer_error(infer, "blocksize must be 1 to 4096, not %lld", (long long)params->block);
  if (node->inputs[0]->rank != 4) return fv_infer_error(infer, "the input must be [N, C, H, W] but has %d dimensions", node->inputs[0]->rank);
  return 0;
}

static int infer_depth_to_space(FvNode *node, FvInfer *infer) {
  int code = read_block(node, infer);
  if (code < 0) return code;
  const FvValue *in = node->inputs[0];
  FvDepthSpaceParams *params = node->params;
  const char *mode = fv_node_string(node, "mode", "DCR");
  params->column_row_depth = strcmp(mode, "CRD") == 0;
  if (!params->column_row_depth && strcmp(mode, "DCR") != 0) return fv_infer_error(infer, "mode '%s' is neither DCR nor CRD", mode);
  int64_t block = params->block;
  if (in->dims[1] % (block * block)) return fv_infer_error(infer, "%lld channels do not divide by %lld", (long long)in->dims[1], (long long)(block * block));
  int64_t dims[4] = {in->dims[0], in->dims[1] / (block * block), in->dims[2] * block, in->dims[3] * block};
  return fv_infer_output(node, 0, in->dtype, 4, dims, infer);
}

static int infer_space_to_depth(FvNode *node, FvInfer *infer) {
  int code = read_block(node, infer);
  if (code < 0) return code;
  const FvValue *in = node->inputs[0];
  int64_t block = ((FvDepthSpaceParams *)node->params)->block;
  if (in->dims[2] % block || in->dims[3] % block)
    return fv_infer_error(infer, "a picture of %lld x %lld does not divide into cells of %lld", (long long)in->dims[3], (long long)in->dims[2], (long long)block);
  int64_t dims[4] = {in->dims[0], in->dims[1] * block * block, in->dims[2] / block, in->dims[3] / block};
  return fv_infer_output(node, 0, in->dtype, 4, dims, infer);
}

/* The pixels at (y, x) of every cell of a picture. */
static FvTensor cell_pixels(const FvTensor *picture, int64_t block, int64_t y, int64_t x) {
  FvTensor part = *picture;
  part.data = fv_element(picture, y * picture->strides[2] + x * picture->strides[3]);
  for (int d = 2; d < 4; d++) {
    part.dims[d] /= block;
    part.strides[d] *= block;
  }
  return part;
}

/* `count` channels from `first` on, `step` apart. */
static FvTensor channel_group(const FvTensor *tensor, int64_t first, int64_t step, int64_t count) {
  FvTensor part = *tensor;
  part.data = fv_element(tensor, first * tensor->strides[1]);
  part.dims[1] = count;
  part.strides[1] *= step;
  return part;
}

static void depth_to_space_reference(const FvKernelCall *call) {
  const FvDepthSpaceParams *params = call->node->params;
  const FvTensor *in = call->in[0], *out = call->out[0];
  int64_t block = params->block, channels = out->dims[1];
  for (int64_t cell = 0; cell < block * block; cell++) {
    FvTensor to = cell_pixels(out, block, cell / block, cell % block);
    FvTensor from = params->column_row_depth ? channel_group(in, cell, block * block, channels) : channel_group(in, cell * channels, 1, channels);
    fv_tensor_copy(&to, &from, NULL);
  }
}

static void space_to_depth_reference(const FvKernelCall *call) {
  const FvTensor *in = call->in[0], *out = call->out[0];
  int64_t block = ((const FvDepthSpaceParams *)call->node->params)->block, channels = in->dims[1];
  for (int64_t cell = 0; cell < block * block; cell++) {
    FvTensor to = channel_group(out, cell * channels, 1, channels), from = cell_pixels(in, block, cell / block, cell % block);
    fv_tensor_copy(&to, &from, NULL);
  }
}

const FvOp fv_ops_depth_space[] = {
  {.name = "DepthToSpace", .kind = FV_OP_DEPTH_TO_SPACE, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL,
   .infer = infer_depth_to_space, .reference = depth_to_space_reference},
  {.name = "SpaceToDepth", .kind = FV_OP_SPACE_TO_DEPTH, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL,
   .infer = infer_space_to_depth, .reference = space_to_depth_reference},
  {0}};
