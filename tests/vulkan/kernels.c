/* Every case of tests/kernels/cases.c through the Vulkan kernels against the reference, on both load paths, in fp32 and in fp16, and with --bench their
 * speed.
 * --bench [--half] [WORD]: only cases whose name contains WORD. Skips where there is no device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "driver.h"
#include "subject.h"
#include "vulkan/conv.h"
#include "vulkan/device.h"
#include "vulkan/vk.h"

static const struct {
  Layout in, out;
  const char *name;
} layouts[] = {
  {LAYOUT_CHANNELS_LAST, LAYOUT_CHANNELS_LAST, "channels-last"}, {LAYOUT_WIDE, LAYOUT_SLICE, "wide to slice"},
  {LAYOUT_SLICE, LAYOUT_WIDE, "slice to wide"},                  {LAYOUT_ROW_MAJOR, LAYOUT_ROW_MAJOR, "planar"},
  {LAYOUT_ROW_MAJOR, LAYOUT_CHANNELS_LAST, "planar to channels-last"}, {LAYOUT_CHANNELS_LAST, LAYOUT_ROW_MAJOR, "channels-last to planar"},
  {LAYOUT_EVEN, LAYOUT_WIDE, "even channels to wide"},           {LAYOUT_ODD, LAYOUT_WIDE, "odd channels to wide"},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0], ALIGN = 64 };

static const char *const way_names[] = {"", "", "/second way", "/third way", "/fourth way"};
static int way; /* 0: convolutions are divided as usual */
static FvVkArithmetic arithmetic;

/* A subject as a program of one step. Buffers lie in the arena one after the other, guards included, and are ports as bytes. */
typedef struct Bound {
  const FvTensor *planned[MAX_IO], *out[MAX_IO];
  FvTensor blind[MAX_IO];
  FvVkOperand operands[2 * MAX_IO], ports[2 * MAX_IO];
  FvVkStep step;
  FvVkProgramParams params;
  FvKernelQuery query;
} Bound;

static int64_t add_port(FvVkOperand *port, FvVkOperand *operand, const Buffer *buffer, int64_t at) {
  *operand = (FvVkOperand){.present = true, .tensor = buffer->tensor, .offset = at + ((char *)buffer->tensor.data - (char *)buffer->memory)};
  *port = (FvVkOperand){.present = true, .offset = at,
                        .tensor = {.dtype = FV_DTYPE_U8, .rank = 1, .dims = {(int64_t)buffer->size}, .strides = {1}}};
  return (at + (int64_t)buffer->size + ALIGN - 1) / ALIGN * ALIGN;
}

static void bind(Bound *b, Subject *s) {
  memset(b, 0, sizeof *b);
  int64_t at = 0;
  for (int i = 0; i < s->input_count; i++) {
    if (!s->inputs[i].memory) continue;
    b->blind[i] = s->inputs[i].tensor;
    b->planned[i] = &b->blind[i];
    if (s->constant[i]) {
      b->operands[i] = (FvVkOperand){.present = true, .is_constant = true, .tensor = s->inputs[i].tensor};
      continue;
    }
    b->blind[i].data = NULL;
    at = add_port(&b->ports[i], &b->operands[i], &s->inputs[i], at);
  }
  for (int i = 0; i < s->output_count; i++) {
    b->out[i] = &s->outputs[i].tensor;
    at = add_port(&b->ports[MAX_IO + i], &b->operands[MAX_IO + i], &s->outputs[i], at);
  }
  b->query = (FvKernelQuery){s->node, b->planned, b->out};
  b->step = (FvVkStep){s->node, NULL, b->operands, b->operands + MAX_IO};
  b->params = (FvVkProgramParams){.steps = &b->step, .step_count = 1, .arena_bytes = at, .inputs = b->ports, .input_count = 2 * MAX_IO,
                                  .outputs = b->ports + MAX_IO, .output_count = MAX_IO, .arithmetic = arithmetic, .way = way};
}

/* Inputs, and outputs full of canaries, go in; outputs come back. */
static int run_once(FvVkRunner *runner, Subject *s, FvError *err) {
  subject_clear(s);
  for (int i = 0; i < s->input_count; i++) {
    void *to = fv_vk_runner_input(runner, 0, i);
    if (to) memcpy(to, s->inputs[i].memory, s->inputs[i].size);
  }
  for (int i = 0; i < s->output_count; i++) memcpy(fv_vk_runner_input(runner, 0, MAX_IO + i), s->outputs[i].memory, s->outputs[i].size);
  int result = fv_vk_runner_submit(runner, 0, err);
  if (result == 0) result = fv_vk_runner_wait(runner, 0, err);
  for (int i = 0; i < s->output_count && result == 0; i++) memcpy(s->outputs[i].memory, fv_vk_runner_output(runner, 0, i), s->outputs[i].size);
  return result;
}

static const char *const form_names[] = {[FV_VK_FULL] = "", [FV_VK_HALF] = "/fp16", [FV_VK_NARROW] = "/to fp16", [FV_VK_WIDEN] = "/from fp16", [FV_VK_ARITHMETIC] = "/in fp16"};
static int failures, runs, line;

static void check_layout(FvVkDevice *device, const char *path, FvVkForm form, const KernelCase *test, int l) {
  Subject subject;
  Bound bound;
  FvError err = {0};
  FvVkProgram *program = NULL;
  FvVkRunner *runner = NULL;
  if (!subject_create(&subject, test, layouts[l].in, layouts[l].out)) exit(1);
  if (form != FV_VK_FULL) {
    if (!subject_round(&subject)) {
      subject_destroy(&subject);
      return;
    }
    subject_reference(&subject);
    subject_halve(&subject, form != FV_VK_NARROW, form != FV_VK_WIDEN);
  }
  bind(&bound, &subject);
  bound.step.kernel = fv_vk_select(device, &bound.query);
  /* Rows that ask for types themselves are not meant; what has no arithmetic in fp16 was tested without. */
  bool mixed = form == FV_VK_NARROW || form == FV_VK_WIDEN, left_out = form == FV_VK_ARITHMETIC && (!bound.step.kernel || !bound.step.kernel->conv);
  subject.in_fp16 = form == FV_VK_ARITHMETIC;
  if (bound.step.kernel && !left_out && (!mixed || bound.step.kernel->forms & 1 << form)) {
    const char *error = NULL;
    if (form == FV_VK_FULL) subject_reference(&subject);
    int result = fv_vk_program_create(device, &bound.params, &program, &err);
    if (result == 0) result = fv_vk_runner_create(program, 1, false, &runner, &err);
    for (int round = 0; round < 2 && result == 0 && !error; round++, runs++) {
      result = run_once(runner, &subject, &err);
      if (result == 0) error = subject_check(&subject);
    }
    if (result < 0) error = err.message;
    failures += error != NULL;
    printf("%s %d - %s/%s%s%s/%s/%s%s%s\n", error ? "not ok" : "ok", ++line, fv_vk_kernel_name(bound.step.kernel), path, form_names[form], way_names[way], test->name, layouts[l].name, error ? ": " : "", error ? error : "");
    fv_vk_runner_destroy(&runner);
    fv_vk_program_destroy(&program);
  }
  subject_destroy(&subject);
}

/* Is there a way of this number beside the usual one, which is tested anyway? */
static bool has_way(FvVkDevice *device, FvVkForm form, const KernelCase *test) {
  Subject subject;
  Bound bound;
  FvVkConv conv = {0};
  FvVkConvWay ways[FV_VK_MAX_WAYS];
  if (!subject_create(&subject, test, layouts[1].in, layouts[1].out)) exit(1);
  bind(&bound, &subject);
  const FvVkKernel *kernel = fv_vk_select(device, &bound.query);
  bool has = kernel && kernel->conv && kernel->conv(&bound.query, &conv) && way <= fv_vk_conv_ways(device, device->texel, form, arithmetic, &conv, ways);
  subject_destroy(&subject);
  return has;
}

/* The ways that `fovea tune` may choose: of the storage path the first few, which are the tiles in shared memory and the one in registers. */
static void check_ways(FvVkDevice *device, const char *path, FvVkForm form, const char *word) {
  for (way = 2; way <= (form == FV_VK_FULL || form == FV_VK_ARITHMETIC ? 4 : 2); way++)
    for (int i = 0; i < kernel_case_count; i++)
      if (!kernel_cases[i].bench && (!word || strstr(kernel_cases[i].name, word)) && has_way(device, form, &kernel_cases[i])) check_layout(device, path, form, &kernel_cases[i], 1);
  way = 0;
}

static double now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void bench_case(FvVkDevice *device, bool half, const KernelCase *test) {
  Subject subject;
  Bound bound;
  FvError err = {0};
  FvVkProgram *program = NULL;
  FvVkRunner *runner = NULL;
  bool dense = strstr(test->inputs, "[1,3,") == test->inputs + 3; /* pictures lie so; what layers make is padded */
  if (!subject_create(&subject, test, dense ? LAYOUT_CHANNELS_LAST : LAYOUT_WIDE, LAYOUT_WIDE)) exit(1);
  if (half && subject_round(&subject)) subject_halve(&subject, true, true);
  bind(&bound, &subject);
  bound.step.kernel = fv_vk_select(device, &bound.query);
  if (bound.step.kernel && fv_vk_program_create(device, &bound.params, &program, &err) == 0 && fv_vk_runner_create(program, 1, false, &runner, &err) == 0) {
    /* The process's time too: what a software device costs, and steadier than the clock on a busy machine. */
    double best = 1e18, best_cpu = 1e18, end = now_ns(CLOCK_MONOTONIC) + 2e8;
    for (int i = 0; i < 3 || now_ns(CLOCK_MONOTONIC) < end; i++) {
      double start = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
      if (fv_vk_runner_submit(runner, 0, &err) < 0 || fv_vk_runner_wait(runner, 0, &err) < 0) break;
      double took = now_ns(CLOCK_MONOTONIC) - start, used = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
      if (took < best) best = took;
      if (used < best_cpu && i > 0) best_cpu = used;
    }
    double macs = subject.node->op->macs ? (double)subject.node->op->macs(subject.node) : 0;
    printf("%-44s %-30s %9.0f us, %9.0f us of CPU %8.1f GFLOP/s\n", test->name, fv_vk_kernel_name(bound.step.kernel), best / 1e3, best_cpu / 1e3, 2 * macs / best);
  }
  if (err.code) printf("%s: %s\n", test->name, err.message);
  fv_vk_runner_destroy(&runner);
  fv_vk_program_destroy(&program);
  subject_destroy(&subject);
}

static FvVkDevice *open_device(FvError *err) {
  FvVkDevice *device = NULL;
  fv_vk_device_open(getenv("FOVEA_TEST_VULKAN_DEVICE"), &device, err);
  return device;
}

static char given[64]; /* FOVEA_VULKAN as it was */

static void check_path(const char *path, FvVkForm form, const char *word) {
  FvError err = {0};
  char wishes[128];
  snprintf(wishes, sizeof wishes, "%s,nocache,%s", path, given);
  setenv("FOVEA_VULKAN", wishes, 1);
  FvVkDevice *device = open_device(&err);
  if (!device) {
    printf("not ok %d - %s: %s\n", ++line, path, err.message);
    failures++;
    return;
  }
  arithmetic = form == FV_VK_ARITHMETIC ? FV_VK_IN_HALF : FV_VK_IN_FULL;
  int step = form == FV_VK_ARITHMETIC ? 6 : form != FV_VK_FULL ? 4 : strncmp(path, "storage", 7) == 0 ? 2 : 1; /* the same shaders but for loads and stores: a few layouts tell, and compiling takes the time */
  bool takes_form = form == FV_VK_FULL || (form == FV_VK_ARITHMETIC ? fv_vk_device_computes_half(device) : fv_vk_device_takes_half(device));
  for (int i = 0; i < kernel_case_count && takes_form; i++)
    for (int l = 0; l < LAYOUTS; l += step)
      if (!(form == FV_VK_ARITHMETIC && kernel_cases[i].bench) && (!word || strstr(kernel_cases[i].name, word)) && (layouts[l].in < LAYOUT_COUNT || strcmp(kernel_cases[i].op, "Conv") == 0)) /* only conv.comp knows of pairs */
        check_layout(device, path, form, &kernel_cases[i], l);
  if (!device->texel && takes_form && (form <= FV_VK_HALF || form == FV_VK_ARITHMETIC)) check_ways(device, path, form, word);
  fv_vk_device_close(&device);
}

/* A device without 64-bit arithmetic moves such elements but must not compute with them. */
static void check_without_int64(FvVkDevice *device) {
  static const struct {
    const char *name;
    bool runs;
  } expected[] = {{"Transpose of i64", true}, {"Gather, repeated", true}, {"ArgMax", true}, {"Add of bytes, wrapping", true},
                  {"Mul of i64", false},      {"TopK of i64", false},     {"Cast to i64", false}, {"ScatterND sums", false}};
  bool had = device->traits.int64;
  device->traits.int64 = false;
  for (int i = 0; i < kernel_case_count; i++)
    for (size_t e = 0; e < sizeof expected / sizeof expected[0]; e++) {
      Subject subject;
      Bound bound;
      if (strcmp(kernel_cases[i].name, expected[e].name) != 0) continue;
      if (!subject_create(&subject, &kernel_cases[i], LAYOUT_ROW_MAJOR, LAYOUT_ROW_MAJOR)) exit(1);
      bind(&bound, &subject);
      bool good = (fv_vk_select(device, &bound.query) != NULL) == expected[e].runs;
      failures += !good;
      printf("%s %d - without int64/%s\n", good ? "ok" : "not ok", ++line, expected[e].name);
      subject_destroy(&subject);
    }
  device->traits.int64 = had;
}

int main(int argc, char **argv) {
  FvError err = {0};
  bool bench = argc > 1 && strcmp(argv[1], "--bench") == 0, half = bench && argc > 2 && strcmp(argv[2], "--half") == 0;
  const char *word = argc > 1 + bench + half ? argv[1 + bench + half] : NULL;
  snprintf(given, sizeof given, "%s", getenv("FOVEA_VULKAN") ? getenv("FOVEA_VULKAN") : "");
  FvVkDevice *device = open_device(&err);
  if (!device) {
    printf("1..0 # SKIP no Vulkan device: %s\n", err.message);
    return 0;
  }
  for (int i = 0; i < kernel_case_count && bench; i++)
    if (kernel_cases[i].bench && (!word || strstr(kernel_cases[i].name, word))) bench_case(device, half, &kernel_cases[i]);
  if (!bench && !word) check_without_int64(device);
  driver_keep_loaded();
  fv_vk_device_close(&device);
  if (bench) return 0;
  for (FvVkForm form = FV_VK_FULL; form < FV_VK_FORMS; form++) {
    check_path(form == FV_VK_ARITHMETIC ? "storage,arithmetic" : "storage", form, word);
    check_path(form == FV_VK_ARITHMETIC ? "texel,arithmetic" : "texel", form, word);
  }
  check_path("storage,dot", FV_VK_FULL, word ? word : "qlinear conv 1x1 all"); /* where the device has dot products, fast ones or not */
  printf("1..%d\n# %d kernel runs\n", line, runs);
  return failures || !line ? 1 : 0;
}
