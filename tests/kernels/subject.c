#include "subject.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/strided.h"

static uint32_t random_state;
static uint32_t random_u32(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}
static double random_unit(void) { return (random_u32() >> 8) / 8388608.0 - 1; } /* [-1, 1) */

/* Bytes between the first and the last element, and the strides, of a layout. */
static void lay_out(FvTensor *t, Layout layout, int64_t *before, int64_t *count) {
  fv_tensor_set_contiguous(t);
  *before = 0;
  *count = fv_tensor_count(t);
  if (t->rank < 3 || layout == LAYOUT_ROW_MAJOR) return;
  int64_t channels = t->dims[1], pixel = layout == LAYOUT_CHANNELS_LAST ? channels : layout == LAYOUT_WIDE ? (channels + 15) / 16 * 16 + 16 : channels + 11;
  bool pairs = layout == LAYOUT_EVEN || layout == LAYOUT_ODD;
  if (pairs) pixel = (2 * channels + 15) / 16 * 16;
  int64_t stride = pixel;
  for (int d = t->rank - 1; d >= 2; d--) {
    t->strides[d] = stride;
    stride *= t->dims[d];
  }
  t->strides[1] = pairs ? 2 : 1;
  t->strides[0] = stride;
  *count = stride * t->dims[0];
  *before = layout == LAYOUT_SLICE ? 3 : layout == LAYOUT_ODD ? 1 : 0;
}

static void buffer_create(Buffer *b, const FvValue *value, Layout layout) {
  FvTensor *t = &b->tensor;
  *t = (FvTensor){.dtype = value->dtype, .rank = value->rank};
  memcpy(t->dims, value->dims, sizeof t->dims);
  int64_t before, count;
  lay_out(t, layout, &before, &count);
  b->size = (size_t)(count + before) * fv_dtype_size(t->dtype) + 2 * GUARD;
  b->memory = malloc(b->size);
  memset(b->memory, CANARY, b->size);
  t->data = b->memory + GUARD + (size_t)before * fv_dtype_size(t->dtype);
}

static void buffer_copy(Buffer *to, const Buffer *from) {
  *to = *from;
  to->memory = malloc(from->size);
  memcpy(to->memory, from->memory, from->size);
  to->tensor.data = to->memory + ((unsigned char *)from->tensor.data - from->memory);
}

static void fill(const FvTensor *t, const char *suffix) {
  int64_t index[FV_MAX_RANK] = {0};
  if (!fv_tensor_count(t)) return;
  bool fixed = *suffix == '=';
  const char *at = suffix + 1;
  do {
    double v = random_unit() * 2;
    if (fixed) {
      char *end;
      v = strtod(at, &end);
      if (*end == ',') at = end + 1;
    } else if (strstr(suffix, ":s")) {
      v = 0.01 + fabs(v) * 0.02;
    } else if (t->dtype == FV_DTYPE_I8) {
      v = (int)(random_u32() % 256) - 128;
    } else if (t->dtype == FV_DTYPE_U8) {
      v = random_u32() % 256;
    } else if (t->dtype == FV_DTYPE_BOOL) {
      v = random_u32() % 2;
    } else if (t->dtype != FV_DTYPE_F32) {
      v = (int)(random_u32() % 2001) - 1000;
    }
    if (strchr(suffix, '+')) v = fabs(v) + 0.01;
    fv_store_f64(t, fv_offset(t, index), v);
  } while (fv_index_next(index, t->dims, t->rank));
}

static FvDtype dtype_of(const char *text, size_t length) {
  for (int t = 1; t < FV_DTYPE_COUNT; t++)
    if (strlen(fv_dtype_name((FvDtype)t)) == length && memcmp(fv_dtype_name((FvDtype)t), text, length) == 0) return (FvDtype)t;
  return FV_DTYPE_NONE;
}

/* "f32[1,3]:c" into a value of the graph and its buffer. Returns what follows the word. */
static const char *add_input(Subject *s, int index, const char *text, Layout layout) {
  char name[16];
  snprintf(name, sizeof name, "in%d", index);
  size_t length = strcspn(text, " ");
  if (*text == '-') return text + length;
  FvValue *value = fv_graph_add_value(s->graph, name);
  const char *bracket = strchr(text, '['), *at = bracket + 1;
  value->dtype = dtype_of(text, (size_t)(bracket - text));
  value->rank = 0;
  while (*at != ']') {
    value->dims[value->rank++] = strtol(at, (char **)&at, 10);
    if (*at == ',') at++;
  }
  char suffix[512];
  snprintf(suffix, sizeof suffix, "%.*s", (int)(text + length - at - 1), at + 1);
  s->constant[index] = suffix[0] == '=' || strstr(suffix, ":c") || strstr(suffix, ":s");
  Buffer *b = &s->inputs[index];
  buffer_create(b, value, s->constant[index] ? LAYOUT_ROW_MAJOR : layout);
  fill(&b->tensor, suffix);
  if (s->constant[index]) value->constant = &b->tensor;
  s->node->inputs[index] = value;
  return text + length;
}

static bool is_list(const char *name) {
  static const char *const lists[] = {"kernel_shape", "strides", "pads", "dilations", "axes", "perm", "split", "starts", "ends", "output_shape"};
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
    if (strcmp(name, lists[i]) == 0) return true;
  return false;
}

static void add_attributes(Subject *s, const char *text) {
  FvAttr *attrs = fv_arena_array(&s->graph->arena, 16, sizeof *attrs);
  int count = 0;
  while (text && *text) {
    FvAttr *attr = &attrs[count++];
    size_t name = strcspn(text, "="), length = strcspn(text, " ");
    attr->name = fv_arena_strndup(&s->graph->arena, text, name);
    const char *value = text + name + 1;
    size_t value_length = length - name - 1;
    if (*value == '\'') {
      attr->kind = FV_ATTR_STRING;
      attr->s = fv_arena_strndup(&s->graph->arena, value + 1, value_length - 2);
    } else if (memchr(value, '.', value_length)) {
      attr->kind = FV_ATTR_FLOAT;
      attr->f = strtof(value, NULL);
    } else {
      int64_t *ints = fv_arena_array(&s->graph->arena, 16, sizeof *ints);
      for (char *at = (char *)value; at < text + length; at++) ints[attr->count++] = strtol(at, &at, 10);
      bool list = is_list(attr->name);
      attr->kind = list ? FV_ATTR_INTS : FV_ATTR_INT;
      if (list)
        attr->ints = ints;
      else
        attr->i = ints[0];
    }
    text += length;
    text += *text == ' ';
  }
  s->node->attrs = attrs;
  s->node->attr_count = count;
}

bool subject_create(Subject *s, const KernelCase *test, Layout in, Layout out) {
  memset(s, 0, sizeof *s);
  random_state = 12345;
  const FvOp *op = fv_op_find(test->domain, test->op);
  if (!op) {
    fprintf(stderr, "# no operator %s\n", test->op);
    return false;
  }
  s->graph = fv_graph_create();
  s->input_count = 1;
  for (const char *at = test->inputs; *at; at++) s->input_count += *at == ' ';
  s->output_count = test->outputs ? test->outputs : 1;
  s->node = fv_graph_add_node(s->graph, op, test->name, test->opset ? test->opset : 13, s->input_count, s->output_count);
  const char *at = test->inputs;
  for (int i = 0; i < s->input_count; i++) {
    at = add_input(s, i, at, in);
    at += *at == ' ';
  }
  add_attributes(s, test->attributes);
  for (int i = 0; i < s->output_count; i++) {
    s->node->outputs[i] = fv_graph_add_value(s->graph, i ? "out1" : "out0");
    s->node->outputs[i]->producer = s->node;
  }
  FvError err = {0};
  FvInfer infer = {s->graph, &err};
  if (op->infer(s->node, &infer) < 0) {
    fprintf(stderr, "# %s: %s\n", test->name, err.message);
    return false;
  }
  s->node->activation = test->activation;
  for (int i = 0; i < s->output_count; i++) buffer_create(&s->outputs[i], s->node->outputs[i], out);
  return true;
}

static void buffers_free(Buffer *b) {
  for (int i = 0; i < MAX_IO; i++) free(b[i].memory);
}

void subject_destroy(Subject *s) {
  buffers_free(s->inputs);
  buffers_free(s->outputs);
  buffers_free(s->expected);
  buffers_free(s->scale);
  fv_graph_destroy(&s->graph);
}

static void run_reference(Subject *s, const Buffer *inputs, Buffer *outputs) {
  const FvTensor *in[MAX_IO];
  FvTensor *out[MAX_IO];
  for (int i = 0; i < s->input_count; i++) in[i] = inputs[i].memory ? &inputs[i].tensor : NULL;
  for (int i = 0; i < s->output_count; i++) {
    buffer_create(&outputs[i], s->node->outputs[i], LAYOUT_ROW_MAJOR);
    out[i] = &outputs[i].tensor;
  }
  FvKernelCall call = {.node = s->node, .in = in, .out = out, .parts = 1};
  s->node->op->reference(&call);
}

static bool is_linear(FvOpKind kind) {
  return kind == FV_OP_CONV || kind == FV_OP_CONV_TRANSPOSE || kind == FV_OP_GEMM || kind == FV_OP_MATMUL || kind == FV_OP_AVERAGE_POOL || kind == FV_OP_GLOBAL_AVERAGE_POOL ||
         kind == FV_OP_REDUCE;
}

void subject_reference(Subject *s) {
  run_reference(s, s->inputs, s->expected);
  if (!is_linear(s->node->op->kind)) return;
  Buffer positive[MAX_IO] = {0};
  for (int i = 0; i < s->input_count; i++) {
    if (!s->inputs[i].memory) continue;
    buffer_copy(&positive[i], &s->inputs[i]);
    int64_t index[FV_MAX_RANK] = {0};
    const FvTensor *t = &positive[i].tensor;
    if (t->dtype == FV_DTYPE_F32 && fv_tensor_count(t))
      do fv_store_f64(t, fv_offset(t, index), fabs(fv_load_f64(t, fv_offset(t, index))));
      while (fv_index_next(index, t->dims, t->rank));
  }
  FvActivation activation = s->node->activation;
  s->node->activation = (FvActivation){0};
  run_reference(s, positive, s->scale);
  s->node->activation = activation;
  buffers_free(positive);
}

static bool is_computed(const Subject *s, int i, FvDtype dtype) {
  return s->inputs[i].memory && !s->constant[i] && s->inputs[i].tensor.dtype == dtype;
}

bool subject_round(Subject *s) {
  bool any = false;
  for (int i = 0; i < s->output_count; i++) any |= s->outputs[i].tensor.dtype == FV_DTYPE_F32;
  for (int i = 0; i < s->input_count; i++)
    if (is_computed(s, i, FV_DTYPE_F16) || is_computed(s, i, FV_DTYPE_I8) || is_computed(s, i, FV_DTYPE_U8)) return false;
  for (int i = 0; i < s->input_count; i++) {
    const FvTensor *t = &s->inputs[i].tensor;
    int64_t index[FV_MAX_RANK] = {0};
    if (!is_computed(s, i, FV_DTYPE_F32)) continue;
    any = true;
    if (!fv_tensor_count(t)) continue;
    do {
      int64_t at = fv_offset(t, index);
      ((float *)t->data)[at] = fv_f16_to_f32(fv_f32_to_f16(((float *)t->data)[at]));
    } while (fv_index_next(index, t->dims, t->rank));
  }
  return any;
}

/* The same strides and guards around elements half as large. */
static void halve(Buffer *b, FvValue *value) {
  FvTensor from = b->tensor;
  unsigned char *old = b->memory;
  size_t before = (size_t)((unsigned char *)from.data - old) - GUARD;
  b->size = (b->size - 2 * GUARD) / 2 + 2 * GUARD;
  b->memory = malloc(b->size);
  memset(b->memory, CANARY, b->size);
  b->tensor.dtype = value->dtype = FV_DTYPE_F16;
  b->tensor.data = b->memory + GUARD + before / 2;
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(&from))
    do fv_store_f64(&b->tensor, fv_offset(&from, index), fv_load_f64(&from, fv_offset(&from, index)));
    while (fv_index_next(index, from.dims, from.rank));
  free(old);
}

void subject_halve(Subject *s, bool inputs, bool outputs) {
  s->halved = true;
  for (int i = 0; i < s->input_count && inputs; i++)
    if (is_computed(s, i, FV_DTYPE_F32)) halve(&s->inputs[i], s->node->inputs[i]);
  for (int i = 0; i < s->output_count && outputs; i++)
    if (s->outputs[i].tensor.dtype == FV_DTYPE_F32) halve(&s->outputs[i], s->node->outputs[i]);
}

void subject_clear(Subject *s) {
  for (int i = 0; i < s->output_count; i++) memset(s->outputs[i].memory, CANARY, s->outputs[i].size);
}

/* fp16 has 11 bits; weights are rounded to it once, results once, and statistics of a normalisation in between. Sums of up to 16 products in fp16 are rounded after each
 * product, each time by less than the whole sum would be. */
static bool is_close_half(double got, double want, double scale, bool in_fp16) {
  if (fabs(want) > 65500 && fabs(got) > 65000) return (got < 0) == (want < 0); /* infinite */
  return fabs(got - want) <= (in_fp16 ? 3e-3 : 1.5e-3) * (fabs(want) + scale) + (in_fp16 ? 1e-6 : 1e-7);
}

/* Only fp32 is rounded; whole numbers are what the reference says, those of quantised operators too. Rounding grows with the size of the terms that were added; of other operators with the size of the result. */
static bool is_close(double got, double want, double scale, FvDtype dtype) {
  if (dtype != FV_DTYPE_F32) return got == want;
  if (got == want || (isnan(got) && isnan(want))) return true;
  return fabs(got - want) <= 4e-6 * (fabs(want) + scale) + 1e-30;
}

static const char *check_output(Subject *s, int index) {
  static char text[256];
  const FvTensor *got = &s->outputs[index].tensor, *want = &s->expected[index].tensor, *scale = &s->scale[index].tensor;
  size_t size = fv_dtype_size(got->dtype);
  int64_t at[FV_MAX_RANK] = {0};
  if (fv_tensor_count(got)) {
    do {
      int64_t o = fv_offset(got, at);
      double g = fv_load_f64(got, o), w = fv_load_f64(want, fv_offset(want, at));
      double magnitude = scale->data ? fv_load_f64(scale, fv_offset(scale, at)) : 0.25;
      bool half = s->halved && fv_dtype_is_float(got->dtype);
      if (half ? !is_close_half(g, w, magnitude, s->in_fp16) && !(isnan(g) && isnan(w)) : !is_close(g, w, magnitude, got->dtype)) {
        snprintf(text, sizeof text, "output %d at [%d,%d,%d,%d] is %.9g, the reference says %.9g", index, (int)at[0], (int)at[1], (int)at[2], (int)at[3], g, w);
        return text;
      }
      memset((char *)got->data + o * (int64_t)size, CANARY, size);
    } while (fv_index_next(at, got->dims, got->rank));
  }
  for (size_t i = 0; i < s->outputs[index].size; i++)
    if (s->outputs[index].memory[i] != CANARY) {
      snprintf(text, sizeof text, "wrote outside output %d, byte %ld of it", index,
               (long)i - (long)((unsigned char *)got->data - s->outputs[index].memory));
      return text;
    }
  return NULL;
}

const char *subject_check(Subject *s) {
  for (int i = 0; i < s->output_count; i++) {
    const char *error = check_output(s, i);
    if (error) return error;
  }
  return NULL;
}
