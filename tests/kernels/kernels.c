/* Every kernel of the table against the reference, and with --bench its speed. Needs libc only, so that it runs under an emulator too.
 * --quick: leave out the large shapes, which an emulator takes minutes for. --bench [WORD]: only cases whose name contains WORD. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "cpu/kernel.h"
#include "subject.h"

static const struct {
  Layout in, out;
  const char *name;
} layouts[] = {
  {LAYOUT_CHANNELS_LAST, LAYOUT_CHANNELS_LAST, "channels-last"}, {LAYOUT_WIDE, LAYOUT_SLICE, "wide to slice"},
  {LAYOUT_SLICE, LAYOUT_WIDE, "slice to wide"},                  {LAYOUT_ROW_MAJOR, LAYOUT_ROW_MAJOR, "planar"},
  {LAYOUT_ROW_MAJOR, LAYOUT_CHANNELS_LAST, "planar to channels-last"}, {LAYOUT_CHANNELS_LAST, LAYOUT_ROW_MAJOR, "channels-last to planar"},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0], MAX_PARTS = 3 };

typedef struct Bound {
  const FvTensor *in[MAX_IO], *planned[MAX_IO];
  FvTensor *out[MAX_IO];
  FvTensor blind[MAX_IO]; /* inputs as a plan sees them: data of constants only */
  FvKernelQuery query;
} Bound;

static void bind(Bound *b, Subject *s) {
  memset(b, 0, sizeof *b);
  for (int i = 0; i < s->input_count; i++) {
    if (!s->inputs[i].memory) continue;
    b->in[i] = &s->inputs[i].tensor;
    b->blind[i] = s->inputs[i].tensor;
    if (!s->constant[i]) b->blind[i].data = NULL;
    b->planned[i] = &b->blind[i];
  }
  for (int i = 0; i < s->output_count; i++) b->out[i] = &s->outputs[i].tensor;
  b->query = (FvKernelQuery){s->node, b->planned, (const FvTensor *const *)b->out};
}

static void *aligned(size_t size, int fill) {
  void *memory = aligned_alloc(64, (size + 127) / 64 * 64);
  memset(memory, fill, (size + 127) / 64 * 64);
  return memory;
}

typedef struct Prepared {
  const FvKernel *kernel;
  void *packed, *scratch[MAX_PARTS];
} Prepared;

static void prepare(Prepared *p, const FvKernel *kernel, const FvKernelQuery *query) {
  *p = (Prepared){.kernel = kernel};
  if (kernel->packed_size) {
    p->packed = aligned(kernel->packed_size(query), 0);
    kernel->pack(query, p->packed);
  }
  if (kernel->scratch_size)
    for (int i = 0; i < MAX_PARTS; i++) p->scratch[i] = aligned(kernel->scratch_size(query), 0xcc);
}

static void release(Prepared *p) {
  free(p->packed);
  for (int i = 0; i < MAX_PARTS; i++) free(p->scratch[i]);
}

static void execute(const Prepared *p, const Bound *b, int parts) {
  for (int part = 0; part < parts; part++) {
    FvKernelCall call = {.node = b->query.node, .in = b->in, .out = b->out, .packed = p->packed, .scratch = p->scratch[part],
                         .part = part, .parts = parts};
    p->kernel->run(&call);
  }
}

static int failures, runs, line;

static void report(bool good, const KernelCase *test, const FvKernel *kernel, const char *layout, int parts, const char *error) {
  if (!good) failures++;
  printf("%s %d - %s/%s/%s/%d%s%s\n", good ? "ok" : "not ok", ++line, kernel->name, test->name, layout, parts, error ? ": " : "", error ? error : "");
}

static void check_case(const KernelCase *test) {
  for (int l = 0; l < LAYOUTS; l++) {
    Subject subject;
    if (!subject_create(&subject, test, layouts[l].in, layouts[l].out)) {
      printf("not ok %d - %s cannot be built\n", ++line, test->name);
      failures++;
      return;
    }
    Bound bound;
    bind(&bound, &subject);
    const FvKernel *kernel;
    bool referenced = false;
    for (int k = 0; (kernel = fv_cpu_kernel_at(k)); k++) {
      if (kernel->op != subject.node->op->kind || (kernel->cpu & fv_cpu_flags()) != kernel->cpu || !kernel->suits(&bound.query)) continue;
      if (!referenced) subject_reference(&subject);
      referenced = true;
      Prepared prepared;
      prepare(&prepared, kernel, &bound.query);
      const char *error = NULL;
      int parts = 1;
      for (; parts <= (kernel->flags & FV_KERNEL_PARALLEL ? MAX_PARTS : 1) && !error; parts++, runs++) {
        subject_clear(&subject);
        execute(&prepared, &bound, parts);
        error = subject_check(&subject);
      }
      report(!error, test, kernel, layouts[l].name, parts - 1, error);
      release(&prepared);
    }
    subject_destroy(&subject);
  }
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void bench_kernel(const KernelCase *test, const FvKernel *kernel, const Bound *bound) {
  Prepared prepared;
  prepare(&prepared, kernel, &bound->query);
  double best = 1e18, end = now_ns() + 5e7;
  do {
    double start = now_ns();
    execute(&prepared, bound, 1);
    double took = now_ns() - start;
    if (took < best) best = took;
  } while (now_ns() < end);
  const FvOp *op = bound->query.node->op;
  double macs = op->macs ? (double)op->macs(bound->query.node) : 0;
  printf("%-44s %-30s %10.0f ns %8.1f GFLOP/s\n", test->name, kernel->name, best, 2 * macs / best);
  release(&prepared);
}

/* Pictures channels-last, all else row-major. */
static void bench_case(const KernelCase *test) {
  Subject subject;
  int rank = 1;
  for (const char *at = test->inputs; *at != ']'; at++) rank += *at == ',';
  Layout layout = rank == 4 ? LAYOUT_CHANNELS_LAST : LAYOUT_ROW_MAJOR;
  if (!subject_create(&subject, test, layout, layout)) exit(1);
  Bound bound;
  bind(&bound, &subject);
  const FvKernel *kernel;
  for (int k = 0; (kernel = fv_cpu_kernel_at(k)); k++)
    if (kernel->op == subject.node->op->kind && (kernel->cpu & fv_cpu_flags()) == kernel->cpu && kernel->suits(&bound.query))
      bench_kernel(test, kernel, &bound);
  subject_destroy(&subject);
}

int main(int argc, char **argv) {
  bool bench = argc > 1 && strcmp(argv[1], "--bench") == 0, quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
  for (int i = 0; i < kernel_case_count; i++) {
    if (quick && kernel_cases[i].bench) continue;
    if (!bench)
      check_case(&kernel_cases[i]);
    else if (kernel_cases[i].bench && (argc < 3 || strstr(kernel_cases[i].name, argv[2])))
      bench_case(&kernel_cases[i]);
  }
  if (bench) return 0;
  printf("1..%d\n# %d kernel runs\n", line, runs);
  return failures || !line ? 1 : 0;
}
