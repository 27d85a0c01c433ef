/* Operators that move elements: shapes, values under several layouts, views against references, and refusals.
 *
 * Every case feeds i32 data 0, 1, 2, … so that expected values are positions in the input. */
#include <glib.h>
#include <string.h>

#include "ir/op.h"
#include "ops/params.h"
#include "base/strided.h"
#include "ops/views.h"

#define MAX_INTS 16
typedef struct Ints {
  int count; /* 0: left out; -1: one scalar */
  int64_t v[MAX_INTS];
} Ints;

typedef enum View { NO_VIEW, VIEW } View; /* what is expected of a row-major input */

typedef struct Case {
  const char *name, *op;
  int opset;
  int rank;
  int64_t dims[FV_MAX_RANK];
  Ints inputs[4];           /* constant inputs 1 … 4, i64 */
  const char *ints_name;    /* attributes */
  Ints ints;
  const char *int_name;
  int64_t int_value;
  const char *string_name, *string_value;
  const char *error;        /* part of the sentence that infer must give; the rest is not read then */
  View view;
  int out_rank;
  int64_t out_dims[FV_MAX_RANK];
  int64_t values[32];       /* of output 0, row-major */
} Case;

#define I(...) {(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}}
#define SCALAR(value) {-1, {value}}
#define NEVER INT64_MAX

static const Case cases[] = {
  {"reshape/minus-one", "Reshape", 13, 3, {2, 3, 4}, {I(0, -1)}, .view = VIEW, .out_rank = 2, .out_dims = {2, 12},
   .values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
  {"reshape/allowzero", "Reshape", 14, 2, {0, 3}, {I(3, 0)}, .int_name = "allowzero", .int_value = 1, .view = VIEW, .out_rank = 2, .out_dims = {3, 0}},
  {"reshape/two-open", "Reshape", 13, 2, {2, 3}, {I(-1, -1)}, .error = "more than one -1"},
  {"reshape/wrong-count", "Reshape", 13, 2, {2, 3}, {I(4, 2)}, .error = "cannot become"},
  {"reshape/indivisible", "Reshape", 13, 2, {2, 3}, {I(4, -1)}, .error = "do not fit"},
  {"reshape/zero-beyond", "Reshape", 13, 1, {6}, {I(6, 0)}, .error = "copies dimension 1"},
  {"reshape/overflow", "Reshape", 13, 2, {2, 3}, {I(INT64_MAX, INT64_MAX, -1)}, .error = "bad dimension"},
  {"reshape/negative", "Reshape", 13, 2, {2, 3}, {I(-2, -3)}, .error = "bad dimension"},
  {"reshape/no-shape", "Reshape", 13, 2, {2, 3}, .error = "no shape"},
  {"flatten/negative-axis", "Flatten", 13, 3, {2, 1, 3}, .int_name = "axis", .int_value = -1, .view = VIEW, .out_rank = 2, .out_dims = {2, 3}, .values = {0, 1, 2, 3, 4, 5}},
  {"flatten/outside", "Flatten", 13, 2, {2, 3}, .int_name = "axis", .int_value = 3, .error = "outside"},
  {"squeeze/all", "Squeeze", 13, 3, {1, 3, 1}, .view = VIEW, .out_rank = 1, .out_dims = {3}, .values = {0, 1, 2}},
  {"squeeze/attribute", "Squeeze", 11, 3, {1, 3, 1}, .ints_name = "axes", .ints = I(-1), .view = VIEW, .out_rank = 2, .out_dims = {1, 3}, .values = {0, 1, 2}},
  {"squeeze/not-one", "Squeeze", 13, 2, {1, 3}, {I(1)}, .error = "length 3"},
  {"squeeze/twice", "Squeeze", 13, 2, {1, 3}, {I(0, -2)}, .error = "twice"},
  {"unsqueeze/ends", "Unsqueeze", 13, 1, {3}, {I(0, -1)}, .view = VIEW, .out_rank = 3, .out_dims = {1, 3, 1}, .values = {0, 1, 2}},
  {"unsqueeze/too-many", "Unsqueeze", 13, 2, {2, 3}, {I(0, 1, 2, 3, 4, 5, 6)}, .error = "limit is 8"},
  {"identity/scalar", "Identity", 13, 0, {0}, .view = VIEW, .out_rank = 0, .values = {0}},
  {"expand/both-ways", "Expand", 13, 2, {2, 1}, {I(2, 1, 3)}, .view = VIEW, .out_rank = 3, .out_dims = {2, 2, 3}, .values = {0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1}},
  {"expand/unfit", "Expand", 13, 2, {2, 3}, {I(2, 2)}, .error = "broadcast"},
  {"expand/huge", "Expand", 13, 2, {1, 1}, {I(1 << 20, 1 << 20)}, .error = "elements"},
  {"transpose/default", "Transpose", 13, 2, {2, 3}, .view = VIEW, .out_rank = 2, .out_dims = {3, 2}, .values = {0, 3, 1, 4, 2, 5}},
  {"transpose/perm", "Transpose", 13, 3, {2, 1, 3}, .ints_name = "perm", .ints = I(1, 2, 0), .view = VIEW, .out_rank = 3, .out_dims = {1, 3, 2}, .values = {0, 3, 1, 4, 2, 5}},
  {"transpose/repeated", "Transpose", 13, 2, {2, 3}, .ints_name = "perm", .ints = I(0, 0), .error = "not an order"},
  {"transpose/short", "Transpose", 13, 2, {2, 3}, .ints_name = "perm", .ints = I(0), .error = "1 entries"},
  {"split/sizes", "Split", 13, 2, {1, 6}, {I(2, 4)}, .int_name = "axis", .int_value = -1, .view = VIEW, .out_rank = 2, .out_dims = {1, 2}, .values = {0, 1}},
  {"split/attribute", "Split", 11, 1, {6}, .ints_name = "split", .ints = I(5, 1), .view = VIEW, .out_rank = 1, .out_dims = {5}, .values = {0, 1, 2, 3, 4}},
  {"split/uneven", "Split", 18, 1, {5}, .int_name = "num_outputs", .int_value = 2, .view = VIEW, .out_rank = 1, .out_dims = {3}, .values = {0, 1, 2}},
  {"split/uneven-before-18", "Split", 13, 1, {5}, .error = "equal parts"},
  {"split/wrong-sum", "Split", 13, 1, {6}, {I(2, 3)}, .error = "add up to 5"},
  {"split/overflow", "Split", 13, 1, {6}, {I(INT64_MAX, INT64_MAX)}, .error = "bad length"},
  {"slice/steps", "Slice", 13, 2, {2, 5}, {I(1), I(NEVER), I(1), I(2)}, .view = VIEW, .out_rank = 2, .out_dims = {2, 2}, .values = {1, 3, 6, 8}},
  {"slice/backwards", "Slice", 13, 1, {5}, {I(-1), I(INT64_MIN), I(0), I(-2)}, .view = VIEW, .out_rank = 1, .out_dims = {3}, .values = {4, 2, 0}},
  {"slice/clamped", "Slice", 13, 1, {4}, {I(INT64_MIN), I(NEVER)}, .view = VIEW, .out_rank = 1, .out_dims = {4}, .values = {0, 1, 2, 3}},
  {"slice/huge-steps", "Slice", 13, 2, {3, 3}, {I(1, 1), I(NEVER, INT64_MIN), I(0, 1), I(NEVER, INT64_MIN)}, .view = VIEW, .out_rank = 2, .out_dims = {1, 1}, .values = {4}},
  {"slice/empty", "Slice", 13, 1, {4}, {I(3), I(1)}, .view = VIEW, .out_rank = 1, .out_dims = {0}},
  {"slice/of-empty-backwards", "Slice", 13, 1, {0}, {I(-1), I(INT64_MIN), I(0), I(-1)}, .view = VIEW, .out_rank = 1, .out_dims = {0}},
  {"slice/step-zero", "Slice", 13, 1, {4}, {I(0), I(1), I(0), SCALAR(0)}, .error = "step along axis 0 is 0"},
  {"slice/lengths", "Slice", 13, 2, {4, 4}, {I(0), I(1, 2)}, .error = "differ in length"},
  {"slice/axis-twice", "Slice", 13, 2, {4, 4}, {I(0, 0), I(1, 1), I(1, -1)}, .error = "twice"},
  {"gather/scalar", "Gather", 13, 2, {2, 3}, {SCALAR(-1)}, .int_name = "axis", .int_value = 1, .view = VIEW, .out_rank = 1, .out_dims = {2}, .values = {2, 5}},
  {"gather/progression", "Gather", 13, 2, {5, 2}, {I(4, 2, 0)}, .view = VIEW, .out_rank = 2, .out_dims = {3, 2}, .values = {8, 9, 4, 5, 0, 1}},
  {"gather/irregular", "Gather", 13, 2, {2, 3}, {I(0, 2, 1)}, .int_name = "axis", .int_value = 1, .out_rank = 2, .out_dims = {2, 3}, .values = {0, 2, 1, 3, 5, 4}},
  {"gather/outside", "Gather", 13, 2, {2, 3}, {I(0, 2)}, .error = "index 2 is outside"},
  {"gather-nd/pairs", "GatherND", 12, 2, {2, 3}, {I(1, -1)}, .out_rank = 0, .values = {5}},
  {"gather-nd/too-deep", "GatherND", 12, 2, {2, 3}, {I(0, 0, 0)}, .error = "does not suit"},
  {"gather-nd/outside", "GatherND", 12, 2, {2, 3}, {I(1, 3)}, .error = "index 3 is outside"},
  {"pad/constant", "Pad", 13, 2, {1, 2}, {I(1, 1, 0, 2)}, .out_rank = 2, .out_dims = {2, 5}, .values = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0}},
  {"pad/reflect", "Pad", 13, 1, {3}, {I(2, 5)}, .string_name = "mode", .string_value = "reflect", .out_rank = 1, .out_dims = {10}, .values = {2, 1, 0, 1, 2, 1, 0, 1, 2, 1}},
  {"pad/edge", "Pad", 13, 1, {3}, {I(1, 2)}, .string_name = "mode", .string_value = "edge", .out_rank = 1, .out_dims = {6}, .values = {0, 0, 1, 2, 2, 2}},
  {"pad/wrap", "Pad", 19, 1, {3}, {I(1, 4)}, .string_name = "mode", .string_value = "wrap", .out_rank = 1, .out_dims = {8}, .values = {2, 0, 1, 2, 0, 1, 2, 0}},
  {"pad/crop-then-edge", "Pad", 13, 1, {4}, {I(-1, 2)}, .string_name = "mode", .string_value = "edge", .out_rank = 1, .out_dims = {5}, .values = {1, 2, 3, 3, 3}},
  {"pad/crop-all-away", "Pad", 13, 1, {2}, {I(-3, 1)}, .out_rank = 1, .out_dims = {0}},
  {"pad/crop-too-much", "Pad", 13, 1, {2}, {I(-3, 0)}, .error = "negative"},
  {"pad/edge-of-nothing", "Pad", 13, 1, {0}, {I(1, 0)}, .string_name = "mode", .string_value = "edge", .error = "nothing is left"},
  {"pad/overflow", "Pad", 13, 1, {2}, {I(INT64_MAX, INT64_MAX)}, .error = "out of bounds"},
  {"pad/mode", "Pad", 13, 1, {2}, {I(1, 1)}, .string_name = "mode", .string_value = "mirror", .error = "none of"},
  {"pad/count", "Pad", 13, 2, {2, 2}, {I(1, 1)}, .error = "2 pads"},
  {"tile/twice", "Tile", 13, 2, {1, 2}, {I(2, 2)}, .out_rank = 2, .out_dims = {2, 4}, .values = {0, 1, 0, 1, 0, 1, 0, 1}},
  {"tile/overflow", "Tile", 13, 1, {3}, {I(INT64_MAX)}, .error = "cannot be repeated"},
  {"depth-to-space/dcr", "DepthToSpace", 13, 4, {1, 8, 1, 1}, .int_name = "blocksize", .int_value = 2, .out_rank = 4, .out_dims = {1, 2, 2, 2}, .values = {0, 2, 4, 6, 1, 3, 5, 7}},
  {"depth-to-space/crd", "DepthToSpace", 13, 4, {1, 8, 1, 1}, .int_name = "blocksize", .int_value = 2, .string_name = "mode", .string_value = "CRD", .out_rank = 4,
   .out_dims = {1, 2, 2, 2}, .values = {0, 1, 2, 3, 4, 5, 6, 7}},
  {"depth-to-space/indivisible", "DepthToSpace", 13, 4, {1, 6, 1, 1}, .int_name = "blocksize", .int_value = 2, .error = "do not divide"},
  {"depth-to-space/no-block", "DepthToSpace", 13, 4, {1, 8, 1, 1}, .error = "blocksize"},
  {"space-to-depth/cells", "SpaceToDepth", 13, 4, {1, 1, 2, 4}, .int_name = "blocksize", .int_value = 2, .out_rank = 4, .out_dims = {1, 4, 1, 2}, .values = {0, 2, 1, 3, 4, 6, 5, 7}},
  {"trilu/upper", "Trilu", 14, 2, {2, 3}, {SCALAR(1)}, .out_rank = 2, .out_dims = {2, 3}, .values = {0, 1, 2, 0, 0, 5}},
  {"channel-shuffle/groups", "ChannelShuffle", 1, 3, {1, 6, 2}, .int_name = "groups", .int_value = 2, .out_rank = 3, .out_dims = {1, 6, 2}, .values = {0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}},
  {"channel-shuffle/indivisible", "ChannelShuffle", 1, 3, {1, 6, 2}, .int_name = "groups", .int_value = 4, .error = "do not divide"},
  {"copy/same", "Copy", 1, 2, {2, 2}, .out_rank = 2, .out_dims = {2, 2}, .values = {0, 1, 2, 3}},
};

/* A tensor of the same shape in another layout, in memory of its own with gaps. */
typedef enum Layout { ROW_MAJOR, CHANNELS_LAST, GAPS, MIRRORED, LAYOUT_COUNT } Layout;

static FvTensor make_tensor(FvDtype dtype, int rank, const int64_t *dims, Layout layout, void **memory) {
  FvTensor tensor = {.dtype = dtype, .rank = rank};
  int64_t stride = 1;
  memcpy(tensor.dims, dims, sizeof tensor.dims[0] * (size_t)rank);
  for (int i = 0; i < rank; i++) {
    /* Channels-last: dimension 1 varies fastest, with a pixel stride of one more than there are channels. */
    int d = layout == CHANNELS_LAST && rank > 1 ? (i == 0 ? 1 : i == rank - 1 ? 0 : rank - i) : rank - 1 - i;
    tensor.strides[d] = stride;
    stride *= dims[d] + (layout == GAPS || (layout == CHANNELS_LAST && i == 0) ? 1 : 0);
  }
  size_t size = fv_dtype_size(dtype);
  *memory = g_malloc0(((size_t)stride + 1) * size);
  memset(*memory, 0x77, ((size_t)stride + 1) * size);
  tensor.data = *memory;
  for (int d = 0; d < rank && layout == MIRRORED; d++) {
    if (dims[d] == 0) continue;
    tensor.data = fv_element(&tensor, (dims[d] - 1) * tensor.strides[d]);
    tensor.strides[d] = -tensor.strides[d];
  }
  return tensor;
}

static void fill_counting(const FvTensor *tensor) {
  int64_t at[FV_MAX_RANK] = {0}, n = 0;
  if (fv_tensor_count(tensor) == 0) return;
  do fv_store_i64(tensor, fv_offset(tensor, at), n++);
  while (fv_index_next(at, tensor->dims, tensor->rank));
}

static void assert_values(const FvTensor *tensor, const Case *c) {
  int64_t at[FV_MAX_RANK] = {0}, n = 0;
  g_assert_cmpint(tensor->rank, ==, c->out_rank);
  for (int d = 0; d < c->out_rank; d++) g_assert_cmpint(tensor->dims[d], ==, c->out_dims[d]);
  if (fv_tensor_count(tensor) == 0) return;
  do g_assert_cmpint(fv_load_i64(tensor, fv_offset(tensor, at)), ==, c->values[n++]);
  while (fv_index_next(at, tensor->dims, tensor->rank));
}

static void add_constant(FvGraph *graph, FvNode *node, int index, const Ints *ints) {
  FvTensor tensor = {.dtype = FV_DTYPE_I64, .rank = ints->count < 0 ? 0 : 1, .dims = {ints->count}, .strides = {1}, .data = (void *)ints->v};
  char name[16];
  g_snprintf(name, sizeof name, "input%d", index);
  node->inputs[index] = fv_graph_add_constant(graph, name, &tensor, true);
}

static FvNode *build(FvGraph *graph, const Case *c) {
  static const char *const ours[] = {"ChannelShuffle", "Copy"};
  bool is_ours = strcmp(c->op, ours[0]) == 0 || strcmp(c->op, ours[1]) == 0;
  const FvOp *op = fv_op_find(is_ours ? "fovea" : "", c->op);
  g_assert_nonnull(op);
  int inputs = 1;
  for (int i = 0; i < 4; i++)
    if (c->inputs[i].count) inputs = i + 2;
  FvNode *node = fv_graph_add_node(graph, op, c->name, c->opset, inputs, strcmp(c->op, "Split") == 0 ? 2 : 1);
  FvValue *data = node->inputs[0] = fv_graph_add_value(graph, "data");
  data->dtype = FV_DTYPE_I32;
  data->rank = c->rank;
  memcpy(data->dims, c->dims, sizeof data->dims);
  for (int i = 1; i < inputs; i++)
    if (c->inputs[i - 1].count) add_constant(graph, node, i, &c->inputs[i - 1]);
  for (int i = 0; i < node->output_count; i++) node->outputs[i] = fv_graph_add_value(graph, i ? "second" : "first");
  FvAttr *attrs = fv_arena_array(&graph->arena, 3, sizeof *attrs);
  if (c->ints_name) attrs[node->attr_count++] = (FvAttr){.name = c->ints_name, .kind = FV_ATTR_INTS, .count = c->ints.count, .ints = c->ints.v};
  if (c->int_name) attrs[node->attr_count++] = (FvAttr){.name = c->int_name, .kind = FV_ATTR_INT, .i = c->int_value};
  if (c->string_name) attrs[node->attr_count++] = (FvAttr){.name = c->string_name, .kind = FV_ATTR_STRING, .s = c->string_value};
  node->attrs = attrs;
  return node;
}

/* A view of a row-major input is there when promised, and whenever there is one it reads the right values. */
static void check_view(const FvNode *node, const Case *c, const FvTensor *in, Layout layout) {
  FvTensor view = {0};
  int64_t offset = 0;
  bool got = node->op->view && node->op->view(node, 0, in, &view, &offset);
  if (layout == ROW_MAJOR) g_assert_cmpint(got, ==, c->view == VIEW);
  if (!got) return;
  view.data = fv_element(in, offset);
  assert_values(&view, c);
}

static void check_run(const FvNode *node, const Case *c, Layout in_layout, Layout out_layout) {
  void *in_memory, *out_memory[2] = {NULL, NULL};
  FvTensor in = make_tensor(FV_DTYPE_I32, c->rank, c->dims, in_layout, &in_memory), out[2];
  const FvTensor *inputs[5] = {&in};
  FvTensor *outputs[2] = {NULL, NULL};
  fill_counting(&in);
  for (int i = 1; i < node->input_count; i++) inputs[i] = node->inputs[i] ? node->inputs[i]->constant : NULL;
  for (int i = 0; i < node->output_count; i++) {
    out[i] = make_tensor(node->outputs[i]->dtype, node->outputs[i]->rank, node->outputs[i]->dims, out_layout, &out_memory[i]);
    outputs[i] = &out[i];
  }
  FvKernelCall call = {.node = node, .in = inputs, .out = outputs, .parts = 1};
  node->op->reference(&call);
  assert_values(&out[0], c);
  check_view(node, c, &in, in_layout);
  g_free(in_memory);
  for (int i = 0; i < 2; i++) g_free(out_memory[i]);
}

static void test_case(gconstpointer data) {
  const Case *c = data;
  FvError err = {0};
  FvGraph *graph = fv_graph_create();
  FvInfer infer = {.graph = graph, .err = &err};
  FvNode *node = build(graph, c);
  int code = node->op->infer(node, &infer);
  if (c->error) {
    g_assert_cmpint(code, <, 0);
    g_assert_nonnull(strstr(err.message, c->error));
  } else {
    g_assert_cmpstr(err.message, ==, "");
    g_assert_cmpint(code, ==, 0);
    for (int from = 0; from < LAYOUT_COUNT; from++)
      for (int to = 0; to < LAYOUT_COUNT; to++) check_run(node, c, (Layout)from, (Layout)to);
  }
  fv_graph_destroy(&graph);
}

/* Which reshapes need no copy, by strides alone. */
static void test_view_reshape(void) {
  static const struct {
    int in_rank, out_rank;
    int64_t in_dims[4], in_strides[4], out_dims[4];
    bool possible;
    int64_t out_strides[4];
  } rows[] = {
    {4, 3, {1, 8, 2, 3}, {60, 1, 30, 10}, {1, 8, 6}, true, {60, 1, 10}},            /* pixels of channels-last merge */
    {4, 4, {1, 8, 2, 3}, {60, 1, 30, 10}, {2, 4, 2, 3}, true, {4, 1, 30, 10}},      /* channels split */
    {4, 2, {1, 8, 2, 3}, {60, 1, 30, 10}, {1, 48}, false, {0}},                     /* channels and pixels do not merge */
    {4, 2, {1, 8, 1, 1}, {16, 1, 16, 16}, {1, 8}, true, {8, 1}},                    /* … unless there is one pixel */
    {2, 1, {2, 3}, {0, 0}, {6}, true, {0}},                                         /* one element, repeated */
    {2, 1, {2, 3}, {0, 1}, {6}, false, {0}},
    {2, 2, {4, 3}, {-3, 1}, {2, 6}, false, {0}},                                    /* a mirrored dimension does not merge with an upright one */
    {2, 3, {4, 3}, {-3, 1}, {2, 2, 3}, true, {-6, -3, 1}},
    {0, 2, {0}, {0}, {1, 1}, true, {1, 1}},
    {2, 3, {0, 3}, {3, 1}, {5, 0, 7}, true, {0, 7, 1}},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    FvTensor in = {.dtype = FV_DTYPE_F32, .rank = rows[i].in_rank}, out = {.dtype = FV_DTYPE_F32, .rank = rows[i].out_rank};
    memcpy(in.dims, rows[i].in_dims, sizeof rows[i].in_dims);
    memcpy(in.strides, rows[i].in_strides, sizeof rows[i].in_strides);
    memcpy(out.dims, rows[i].out_dims, sizeof rows[i].out_dims);
    g_assert_cmpint(fv_view_reshape(&in, &out), ==, rows[i].possible);
    for (int d = 0; d < out.rank && rows[i].possible; d++)
      if (out.dims[d] != 1) g_assert_cmpint(out.strides[d], ==, rows[i].out_strides[d]);
  }
}

/* Indices that arrive with the frame are kept inside, whatever they say. */
static void test_runtime_indices_are_clamped(void) {
  static const char *const ops[] = {"Gather", "GatherElements"};
  for (int i = 0; i < 2; i++) {
    FvGraph *graph = fv_graph_create();
    FvError err = {0};
    FvInfer infer = {.graph = graph, .err = &err};
    FvNode *node = fv_graph_add_node(graph, fv_op_find("", ops[i]), "pick", 13, 2, 1);
    int64_t index_values[4] = {INT64_MIN, -1, 3, INT64_MAX};
    int32_t data_values[3] = {10, 11, 12}, out_values[4];
    FvTensor data = {.dtype = FV_DTYPE_I32, .rank = 1, .dims = {3}, .strides = {1}, .data = data_values};
    FvTensor indices = {.dtype = FV_DTYPE_I64, .rank = 1, .dims = {4}, .strides = {1}, .data = index_values};
    FvTensor out = {.dtype = FV_DTYPE_I32, .rank = 1, .dims = {4}, .strides = {1}, .data = out_values};
    node->inputs[0] = fv_graph_add_value(graph, "data");
    *node->inputs[0] = (FvValue){.name = "data", .dtype = FV_DTYPE_I32, .rank = 1, .dims = {3}};
    node->inputs[1] = fv_graph_add_value(graph, "indices");
    *node->inputs[1] = (FvValue){.name = "indices", .dtype = FV_DTYPE_I64, .rank = 1, .dims = {4}};
    node->outputs[0] = fv_graph_add_value(graph, "out");
    g_assert_cmpint(node->op->infer(node, &infer), ==, 0);
    FvKernelCall call = {.node = node, .in = (const FvTensor *[]){&data, &indices}, .out = (FvTensor *[]){&out}, .parts = 1};
    node->op->reference(&call);
    g_assert_cmpint(out_values[0], ==, 10);
    g_assert_cmpint(out_values[1], ==, 12);
    g_assert_cmpint(out_values[2], ==, 12);
    g_assert_cmpint(out_values[3], ==, 12);
    fv_graph_destroy(&graph);
  }
}

static void test_dynamic_lengths_are_refused(void) {
  FvGraph *graph = fv_graph_create();
  FvError err = {0};
  FvInfer infer = {.graph = graph, .err = &err};
  FvNode *node = fv_graph_add_node(graph, fv_op_find("", "Transpose"), "turn", 13, 1, 1);
  node->inputs[0] = fv_graph_add_value(graph, "boxes");
  *node->inputs[0] = (FvValue){.name = "boxes", .dtype = FV_DTYPE_I64, .rank = 2, .dims = {100, 3}, .dynamic = true};
  node->outputs[0] = fv_graph_add_value(graph, "out");
  g_assert_cmpint(node->op->infer(node, &infer), ==, FV_ERR_UNSUPPORTED);
  g_assert_nonnull(strstr(err.message, "boxes"));
  fv_graph_destroy(&graph);
}

static FvTensor scalar_i64(int64_t *value) { return (FvTensor){.dtype = FV_DTYPE_I64, .data = value}; }

static void test_range_counts_exactly(void) {
  static const struct {
    int64_t start, limit, delta, count;
    const char *error;
  } rows[] = {
    {0, 10, 3, 4, NULL}, {10, 0, -3, 4, NULL}, {0, 9, 3, 3, NULL}, {5, 5, 1, 0, NULL}, {0, 5, -1, 0, NULL}, {0, 1, INT64_MAX, 1, NULL}, {0, -1, INT64_MIN, 1, NULL},
    {0, 1, 0, 0, "delta is 0"}, {INT64_MIN, INT64_MAX, 1, 0, "too far apart"}, {0, INT64_MAX, 1, 0, "elements"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    FvGraph *graph = fv_graph_create();
    FvError err = {0};
    FvInfer infer = {.graph = graph, .err = &err};
    FvNode *node = fv_graph_add_node(graph, fv_op_find("", "Range"), "count", 13, 3, 1);
    int64_t numbers[3] = {rows[i].start, rows[i].limit, rows[i].delta};
    for (int k = 0; k < 3; k++) {
      FvTensor number = scalar_i64(&numbers[k]);
      node->inputs[k] = fv_graph_add_constant(graph, "n", &number, true);
    }
    node->outputs[0] = fv_graph_add_value(graph, "out");
    int code = node->op->infer(node, &infer);
    if (rows[i].error) {
      g_assert_cmpint(code, <, 0);
      g_assert_nonnull(strstr(err.message, rows[i].error));
    } else {
      g_assert_cmpstr(err.message, ==, "");
      g_assert_cmpint(node->outputs[0]->dims[0], ==, rows[i].count);
    }
    fv_graph_destroy(&graph);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    char *path = g_strdup_printf("/ops/movement/%s", cases[i].name);
    g_test_add_data_func(path, &cases[i], test_case);
    g_free(path);
  }
  g_test_add_func("/ops/movement/view-reshape", test_view_reshape);
  g_test_add_func("/ops/movement/runtime-indices-are-clamped", test_runtime_indices_are_clamped);
  g_test_add_func("/ops/movement/dynamic-lengths-are-refused", test_dynamic_lengths_are_refused);
  g_test_add_func("/ops/movement/range-counts-exactly", test_range_counts_exactly);
  return g_test_run();
}
