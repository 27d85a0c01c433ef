/* The conformance runner's parts: one case is a folder with model.onnx and test_data_set_*, or NAME.onnx with NAME_output_0.pb. */
#ifndef FOVEA_TESTS_CONFORMANCE_H
#define FOVEA_TESTS_CONFORMANCE_H

#include <fovea/fovea.h>

typedef enum Outcome { FAILED = 0, PASSED, UNSUPPORTED } Outcome;

/* In memory shared with the process that runs the case, so that a crash leaves the operator's name. */
typedef struct Verdict {
  Outcome outcome;
  char operation[64]; /* "Conv", or "Conv+Relu+…" */
  char reason[600];
} Verdict;

typedef struct Options {
  const char *device;
  unsigned plan_flags;
} Options;

/* Runs one case in this process. directory: the folder, or NULL; model: the .onnx file. */
void run_case(const char *model, const char *directory, const Options *options, Verdict *verdict);

/* How far results may be off. */
typedef struct Tolerance {
  double relative, absolute; /* floating point */
  int steps;                 /* 8-bit integers */
} Tolerance;
/* Writes what differs into reason; true when nothing does. */
bool tensors_agree(const FvTensor *found, const FvTensor *expected, Tolerance tolerance, char *reason, size_t size);

/* Names of cases that are known not to pass, one a line, with the reason behind it; # starts a comment. A ? in front: it may pass
 * or not, depending on the device. */
typedef struct Expected {
  char **names;
  bool *optional;
  bool *seen; /* has run and did not pass */
  int count;
} Expected;
bool expected_read(Expected *expected, const char *path);
/* Index of a case, or -1. */
int expected_find(const Expected *expected, const char *name);
void expected_finish(Expected *expected);

#endif
