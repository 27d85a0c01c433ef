/* The one table of kernel cases, for every back-end. A case is an operator with its inputs and attributes in words:
 *
 *   inputs      separated by spaces, each TYPE[dims] with an optional suffix, "-" for one left out:
 *               :c  constant   :s  constant, like the scales of 8-bit weights   :+  positive values   =V  constant, all elements V   =A,B,…  constant, these elements
 *   attributes  NAME=INT[,INT…], NAME=FLOAT (with a point) or NAME='text', separated by spaces
 *
 * Every case runs in several memory layouts; see layouts in kernels.c. */
#ifndef FOVEA_TESTS_CASES_H
#define FOVEA_TESTS_CASES_H

#include "ir/graph.h"

typedef struct KernelCase {
  const char *name, *op, *domain, *inputs, *attributes;
  int opset;
  int outputs; /* 0: one */
  FvActivation activation;
  bool bench; /* a shape that real models spend time in */
} KernelCase;

extern const KernelCase kernel_cases[];
extern const int kernel_case_count;

#endif
