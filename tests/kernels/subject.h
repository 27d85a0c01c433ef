/* A case made real: a graph of one node with its shapes inferred, and tensors in guarded memory. */
#ifndef FOVEA_TESTS_SUBJECT_H
#define FOVEA_TESTS_SUBJECT_H

#include "cases.h"
#include "ir/op.h"

typedef enum Layout { LAYOUT_ROW_MAJOR, LAYOUT_CHANNELS_LAST, LAYOUT_WIDE, LAYOUT_SLICE, LAYOUT_COUNT,
  LAYOUT_EVEN = LAYOUT_COUNT, LAYOUT_ODD /* every other channel of pixels twice as large: of inputs only */ } Layout;

enum { MAX_IO = 16, GUARD = 256 /* bytes before and after */, CANARY = 0x5a };

typedef struct Buffer {
  FvTensor tensor;
  unsigned char *memory;
  size_t size; /* bytes, guards included */
} Buffer;

typedef struct Subject {
  FvGraph *graph;
  FvNode *node;
  int input_count, output_count;
  Buffer inputs[MAX_IO], outputs[MAX_IO], expected[MAX_IO], scale[MAX_IO]; /* data NULL where left out */
  bool constant[MAX_IO];
  bool halved;
  bool in_fp16; /* set by tests of kernels that compute in fp16 too */
} Subject;

/* Builds the case with its activations (inputs that are not constant) in the one layout and outputs in the other. False with a sentence on stderr. */
bool subject_create(Subject *subject, const KernelCase *test, Layout in, Layout out);
void subject_destroy(Subject *subject);
/* Runs the reference into `expected`, and into `scale` with all numbers made positive: the magnitude that rounding errors go with. */
void subject_reference(Subject *subject);
/* fp16 in place of fp32: rounds computed inputs to what fp16 holds, for the reference; then, after it, makes computed inputs or outputs f16 with that
 * content. False: the case has no computed f32, computed tensors of f16, or bytes: quantised operators make f32 only. */
bool subject_round(Subject *subject);
void subject_halve(Subject *subject, bool inputs, bool outputs);
/* Fills the outputs' memory with canaries. */
void subject_clear(Subject *subject);
/* Compares outputs with expected. NULL or a sentence in static memory. */
const char *subject_check(Subject *subject);

#endif
