/* Element-wise steps that become one dispatch give what they give apart: random graphs on Vulkan against the CPU, and a few whose steps are counted. */
#include <fovea/fovea.h>
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_model.h"
#include "driver.h"
#include "vulkan/device.h"
#include "vulkan/vk.h"

enum { GRAPHS = 24, NODES = 22, CHANNELS = 6, HEIGHT = 5, WIDTH = 7, COUNT = CHANNELS * HEIGHT * WIDTH };

static guint32 state;
static guint pick(guint bound) {
  state = state * 1664525u + 1013904223u;
  return (state >> 8) % bound;
}
static float number(void) { return (float)pick(2001) / 1000.0f - 1.0f; }

static void add_numbers(Build *build, const char *name, int rank, const int64_t *dims) {
  float values[COUNT];
  gsize count = 1;
  for (int d = 0; d < rank; d++) count *= (gsize)dims[d];
  for (gsize i = 0; i < count; i++) values[i] = number();
  build_raw(build, build_tensor(build, name, FLOAT, rank, dims), values, count * sizeof(float));
}

static void begin(Build *build) {
  build_init(build, 13);
  build_input(build, "x", FLOAT, 4, DIMS(1, CHANNELS, HEIGHT, WIDTH));
  add_numbers(build, "full", 4, DIMS(1, CHANNELS, HEIGHT, WIDTH));
  add_numbers(build, "gate", 4, DIMS(1, CHANNELS, 1, 1));
  add_numbers(build, "row", 1, DIMS(WIDTH));
  add_numbers(build, "one", 0, NULL);
}

/* A text that lives as long as the builder. */
static char *format(Build *build, const char *pattern, int n) {
  g_autofree char *text = g_strdup_printf(pattern, n);
  return build_string(build, text);
}

static void add_attribute(Build *build, Onnx__NodeProto *node, const char *name, float value) { build_attribute(build, node, name, ATTR_FLOAT)->f = value; }

/* Names of values so far; a node takes what came lately more often, so that chains get long. */
static void add_random_node(Build *build, GPtrArray *names, int n) {
  static const char *const pairs[] = {"Add", "Mul", "Sub", "Max", "Min"}, *const singles[] = {"Sigmoid", "Relu", "Tanh", "Neg", "Abs", "LeakyRelu", "Elu"};
  guint back = pick(3) ? MIN(names->len, 3) : names->len;
  const char *a = names->pdata[names->len - 1 - pick(back)], *b = names->pdata[pick(names->len)];
  char *name = format(build, "v%d", n);
  if (pick(3)) {
    g_autofree char *inputs = pick(2) ? g_strdup_printf("%s,%s", a, b) : g_strdup_printf("%s,%s", b, a);
    build_node(build, pairs[pick(G_N_ELEMENTS(pairs))], name, inputs, name);
  } else {
    const char *type = singles[pick(G_N_ELEMENTS(singles))];
    Onnx__NodeProto *node = build_node(build, type, name, a, name);
    if (strcmp(type, "LeakyRelu") == 0 || strcmp(type, "Elu") == 0) add_attribute(build, node, "alpha", number());
  }
  g_ptr_array_add(names, name);
}

static FvModel *finish(Build *build) {
  FvModel *model = NULL;
  FvError err;
  GBytes *bytes = build_pack(build);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  if (fv_model_open_memory(data, size, "chains", NULL, &model, &err) < 0) g_error("%s", err.message);
  g_bytes_unref(bytes);
  build_free(build);
  return model;
}

/* The outputs one after another. *steps is what was left of the nodes. */
static GArray *run_as(FvModel *model, const char *device, FvPrecision precision, unsigned flags, int *steps) {
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  FvError err;
  if (fv_plan_create(model, &fv_plan_params(.device = device, .threads = 1, .flags = flags, .precision = precision), &plan, &err) < 0 || fv_session_create(plan, &session, &err) < 0)
    g_error("%s", err.message);
  *steps = fv_plan_info(plan).step_count;
  float *x = fv_session_input(session, 0)->data;
  for (int i = 0; i < COUNT; i++) x[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
  if (fv_session_run(session, &err) < 0) g_error("%s", err.message);
  GArray *all = g_array_new(FALSE, FALSE, sizeof(float));
  for (int o = 0; o < fv_session_output_count(session); o++) {
    float values[COUNT];
    FvTensor copy = *fv_session_output(session, o);
    fv_tensor_set_contiguous(&copy);
    copy.data = values;
    g_assert_cmpint(fv_tensor_copy(&copy, fv_session_output(session, o), &err), ==, 0);
    g_array_append_vals(all, values, (guint)fv_tensor_count(&copy));
  }
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  return all;
}

static GArray *run(FvModel *model, const char *device, unsigned flags, int *steps) { return run_as(model, device, FV_PRECISION_AUTO, flags, steps); }

static void compare(FvModel *model, int *together, int *apart) {
  int ignored;
  GArray *want = run(model, "cpu", 0, &ignored), *got = run(model, "vulkan", 0, together), *unfused = run(model, "vulkan", FV_PLAN_NO_FUSION, apart);
  for (guint i = 0; i < want->len; i++) {
    double value = (double)g_array_index(want, float, i), bound = 1e-5 * (1 + fabs(value));
    g_assert_cmpfloat_with_epsilon((double)g_array_index(got, float, i), value, bound);
    g_assert_cmpfloat_with_epsilon((double)g_array_index(unfused, float, i), value, bound);
  }
  g_array_unref(want);
  g_array_unref(got);
  g_array_unref(unfused);
}

static void test_random_graphs(void) {
  int combined = 0;
  for (int g = 0; g < GRAPHS; g++) {
    Build build;
    int together, apart;
    state = (guint32)g + 1;
    begin(&build);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const char *const *name = (const char *const[]){"full", "gate", "row", "one", "x", NULL}; *name; name++) g_ptr_array_add(names, (gpointer)*name);
    for (int n = 0; n < NODES; n++) add_random_node(&build, names, n);
    build_node(&build, "Add", "end", format(&build, "x,v%d", NODES - 1), "end"); /* of the full shape */
    build_output(&build, "end");
    if (g % 3 == 0) build_output(&build, "v7"); /* asked for: it cannot stay in a register */
    FvModel *model = finish(&build);
    compare(model, &together, &apart);
    g_assert_cmpint(together, <=, apart);
    combined += apart - together;
    fv_model_destroy(&model);
  }
  g_test_message("%d steps fewer", combined);
  g_assert_cmpint(combined, >, GRAPHS);
}

/* Twelve operations in a row are two chains; a value that two nodes want is computed once; what is of another shape stays apart. */
static void test_limits(void) {
  static const struct {
    const char *what;
    int length, steps;
  } rows[] = {{"one step", 1, 1}, {"as many as fit", 8, 1}, {"more than fit", 12, 2}};
  for (gsize r = 0; r < G_N_ELEMENTS(rows); r++) {
    Build build;
    int together, apart;
    state = 7;
    begin(&build);
    for (int n = 0; n < rows[r].length; n++) {
      g_autofree char *from = n ? g_strdup_printf("v%d", n - 1) : g_strdup("x"), *inputs = g_strdup_printf("%s,%s", from, n % 2 ? "gate" : "full");
      char *name = format(&build, "v%d", n);
      build_node(&build, n % 2 ? "Sub" : "Max", name, inputs, name);
    }
    build_output(&build, format(&build, "v%d", rows[r].length - 1));
    FvModel *model = finish(&build);
    compare(model, &together, &apart);
    g_test_message("%s: %d steps", rows[r].what, together);
    g_assert_cmpint(together, ==, rows[r].steps);
    fv_model_destroy(&model);
  }
}

static void test_shared_values(void) {
  Build build;
  int together, apart;
  state = 9;
  begin(&build);
  build_node(&build, "Max", "a", "x,full", "a");
  build_node(&build, "Neg", "b", "a", "b");
  build_node(&build, "Sub", "c", "a,gate", "c"); /* a has two users */
  build_node(&build, "Min", "d", "b,c", "d");
  build_output(&build, "d");
  FvModel *model = finish(&build);
  compare(model, &together, &apart);
  g_assert_cmpint(apart, ==, 4);
  g_assert_cmpint(together, ==, 2);
  fv_model_destroy(&model);
}

/* What fp16 arithmetic takes over, and a function that it leaves to fp32: every operation is rounded to 11 bits. */
static void test_in_fp16(void) {
  static const char *const operators[] = {"Add", "Mul", "Sub", "Max", "Relu", "LeakyRelu", "Sigmoid", "Mul"};
  FvError err = {0};
  FvVkDevice *device = NULL;
  g_assert_cmpint(fv_vk_device_open(NULL, &device, &err), ==, 0);
  bool computes = fv_vk_device_computes_half(device);
  fv_vk_device_close(&device);
  if (!computes) {
    g_test_skip("the device does not compute in fp16");
    return;
  }
  Build build;
  int steps, together;
  begin(&build);
  for (gsize n = 0; n < G_N_ELEMENTS(operators); n++) {
    bool binary = n < 4 || n == 7;
    g_autofree char *from = n ? g_strdup_printf("v%d", (int)n - 1) : g_strdup("x"), *inputs = g_strdup_printf(binary ? "%s,%s" : "%s", from, n % 2 ? "gate" : "full");
    char *name = format(&build, "v%d", (int)n);
    build_node(&build, operators[n], name, inputs, name);
  }
  build_output(&build, format(&build, "v%d", (int)G_N_ELEMENTS(operators) - 1));
  FvModel *model = finish(&build);
  GArray *want = run(model, "cpu", 0, &steps), *got = run_as(model, "vulkan", FV_PRECISION_FP16_ARITHMETIC, 0, &together);
  g_assert_cmpint(together, <, steps);
  for (guint i = 0; i < want->len; i++) {
    double value = (double)g_array_index(want, float, i);
    g_assert_cmpfloat_with_epsilon((double)g_array_index(got, float, i), value, 4e-3 * (1 + fabs(value)));
  }
  g_array_unref(want);
  g_array_unref(got);
  fv_model_destroy(&model);
}

int main(int argc, char **argv) {
  FvError err = {0};
  FvVkDevice *device = NULL;
  g_autofree char *cache = g_dir_make_tmp("fovea-vulkan-XXXXXX", NULL);
  g_setenv("FOVEA_CACHE_DIR", cache, TRUE);
  g_test_init(&argc, &argv, NULL);
  if (fv_vk_device_open(NULL, &device, &err) < 0) {
    printf("1..0 # SKIP no Vulkan device: %s\n", err.message);
    return 0;
  }
  driver_keep_loaded();
  g_test_add_func("/vulkan/chains/random-graphs", test_random_graphs);
  g_test_add_func("/vulkan/chains/limits", test_limits);
  g_test_add_func("/vulkan/chains/shared-values", test_shared_values);
  g_test_add_func("/vulkan/chains/in-fp16", test_in_fp16);
  int result = g_test_run();
  fv_vk_device_close(&device);
  g_autofree char *remove = g_strdup_printf("rm -rf '%s'", cache);
  return system(remove) == 0 ? result : 1;
}
