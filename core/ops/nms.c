/* NonMaxSuppression of opset 10 and 11: greedy, per batch and class. The output's rows are the only memory it needs: a class's boxes chosen so far
 * are read back from there. */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/families.h"

typedef struct NmsParams {
  bool centre; /* boxes are [x, y, w, h]; else two opposite corners [y, x, y, x] */
} NmsParams;

enum { BOXES, SCORES, MAX_OUTPUT, IOU_THRESHOLD, SCORE_THRESHOLD };

static int check_scalar(const FvNode *node, int input, unsigned types, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, input);
  if (!value) return 0;
  int rc = fv_infer_type(node, input, types, infer);
  for (int d = 0; d < value->rank && rc >= 0; d++)
    if (value->dims[d] != 1) rc = fv_infer_error(infer, "input '%s' must be one number", value->name);
  return rc;
}

static int infer_nms(FvNode *node, FvInfer *infer) {
  int rc;
  for (int i = BOXES; i <= SCORES; i++) {
    if ((rc = fv_infer_type(node, i, FV_TYPES_FLOAT, infer)) < 0) return rc;
    if (node->inputs[i]->dtype != FV_DTYPE_F32) return fv_infer_bad_type(node, i, infer);
    if (node->inputs[i]->rank != 3) return fv_infer_error(infer, "input '%s' has %d dimensions; 3 are needed", node->inputs[i]->name, node->inputs[i]->rank);
  }
  if ((rc = fv_infer_not_dynamic(node, infer)) < 0 || (rc = check_scalar(node, MAX_OUTPUT, FV_TYPES_INT, infer)) < 0 ||
      (rc = check_scalar(node, IOU_THRESHOLD, FV_TYPES_FLOAT, infer)) < 0 || (rc = check_scalar(node, SCORE_THRESHOLD, FV_TYPES_FLOAT, infer)) < 0)
    return rc;
  const FvValue *boxes = node->inputs[BOXES], *scores = node->inputs[SCORES], *most = fv_node_input(node, MAX_OUTPUT);
  if (boxes->dims[2] != 4) return fv_infer_error(infer, "boxes '%s' have %lld numbers each; 4 are needed", boxes->name, (long long)boxes->dims[2]);
  if (boxes->dims[0] != scores->dims[0] || boxes->dims[1] != scores->dims[2])
    return fv_infer_error(infer, "boxes '%s' and scores '%s' disagree: %lld and %lld batches, %lld and %lld boxes", boxes->name, scores->name,
                          (long long)boxes->dims[0], (long long)scores->dims[0], (long long)boxes->dims[1], (long long)scores->dims[2]);
  NmsParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->centre = fv_node_int(node, "center_point_box", 0) != 0;
  int64_t per_class = boxes->dims[1], rows;
  if (!most) per_class = 0; /* ONNX: nothing is chosen when the number is left out */
  else if (most->constant) {
    int64_t limit = fv_load_i64(most->constant, 0);
    if (limit < per_class) per_class = limit < 0 ? 0 : limit;
  }
  if (__builtin_mul_overflow(scores->dims[0] * per_class, scores->dims[1], &rows)) /* the first product: two dims, below 2^62 */
    return fv_error_set(infer->err, FV_ERR_LIMIT, "%lld boxes in %lld classes are too many", (long long)per_class, (long long)scores->dims[1]);
  rc = fv_infer_output(node, 0, FV_DTYPE_I64, 2, (int64_t[]){rows, 3}, infer);
  if (rc >= 0 && node->outputs[0]) node->outputs[0]->dynamic = true;
  return rc;
}

typedef struct Box {
  float x0, y0, x1, y1;
} Box;

static Box load_box(const FvTensor *boxes, int64_t batch, int64_t i, bool centre) {
  const float *data = (const float *)boxes->data + batch * boxes->strides[0] + i * boxes->strides[1];
  float v[4];
  for (int k = 0; k < 4; k++) v[k] = data[k * boxes->strides[2]];
  if (centre) return (Box){v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
  return (Box){fminf(v[1], v[3]), fminf(v[0], v[2]), fmaxf(v[1], v[3]), fmaxf(v[0], v[2])};
}

static bool overlaps(Box a, Box b, float threshold) {
  float w = fminf(a.x1, b.x1) - fmaxf(a.x0, b.x0), h = fminf(a.y1, b.y1) - fmaxf(a.y0, b.y0);
  if (!(w > 0 && h > 0)) return false;
  float both = w * h, either = (a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - both;
  return either > 0 && both / either > threshold;
}

/* The best box that comes after `previous` (-1: after none) by falling score, then rising index; -1 when none is above the threshold. */
static int64_t next_candidate(const float *scores, int64_t stride, int64_t count, float threshold, int64_t previous) {
  int64_t best = -1;
  for (int64_t i = 0; i < count; i++) {
    float score = scores[i * stride];
    if (!(score > threshold)) continue;
    if (previous >= 0 && !(score < scores[previous * stride] || (score == scores[previous * stride] && i > previous))) continue;
    if (best < 0 || score > scores[best * stride]) best = i;
  }
  return best;
}

typedef struct Nms {
  const FvTensor *boxes, *scores;
  FvTensor *out;
  bool centre;
  float iou, score;
  int64_t per_class;
} Nms;

static int64_t *out_at(const Nms *nms, int64_t row, int column) {
  return (int64_t *)nms->out->data + row * nms->out->strides[0] + column * nms->out->strides[1];
}

/* Appends one class's boxes behind `rows` rows; returns how many rows there are then. */
static int64_t choose(const Nms *nms, int64_t batch, int64_t class_index, int64_t rows) {
  const float *scores = (const float *)nms->scores->data + batch * nms->scores->strides[0] + class_index * nms->scores->strides[1];
  int64_t first = rows, candidate = -1;
  while (rows - first < nms->per_class && rows < nms->out->dims[0]) {
    candidate = next_candidate(scores, nms->scores->strides[2], nms->scores->dims[2], nms->score, candidate);
    if (candidate < 0) break;
    Box box = load_box(nms->boxes, batch, candidate, nms->centre);
    int64_t i = first;
    while (i < rows && !overlaps(box, load_box(nms->boxes, batch, *out_at(nms, i, 2), nms->centre), nms->iou)) i++;
    if (i < rows) continue;
    *out_at(nms, rows, 0) = batch;
    *out_at(nms, rows, 1) = class_index;
    *out_at(nms, rows, 2) = candidate;
    rows++;
  }
  return rows;
}

static const FvTensor *optional(const FvKernelCall *call, int input) { return input < call->node->input_count ? call->in[input] : NULL; }

static void reference_nms(const FvKernelCall *call) {
  const NmsParams *params = call->node->params;
  const FvTensor *most = optional(call, MAX_OUTPUT), *iou = optional(call, IOU_THRESHOLD), *score = optional(call, SCORE_THRESHOLD);
  Nms nms = {
    .boxes = call->in[BOXES], .scores = call->in[SCORES], .out = call->out[0], .centre = params->centre,
    .iou = iou ? (float)fv_load_f64(iou, 0) : 0, .score = score ? (float)fv_load_f64(score, 0) : -INFINITY, .per_class = most ? fv_load_i64(most, 0) : 0,
  };
  int64_t rows = 0;
  for (int64_t batch = 0; batch < nms.scores->dims[0]; batch++)
    for (int64_t c = 0; c < nms.scores->dims[1]; c++) rows = choose(&nms, batch, c, rows);
  nms.out->dims[0] = rows;
}

const FvOp fv_ops_nms[] = {
  {.name = "NonMaxSuppression", .kind = FV_OP_NMS, .min_inputs = 2, .max_inputs = 5, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_nms, .reference = reference_nms},
  {0},
};
