/* The pieces of fv_pass_integers: what is written as float operators between DequantizeLinear and QuantizeLinear (QDQ) becomes operators on integers. */
#ifndef FOVEA_GRAPH_PASSES_INTEGERS_H
#define FOVEA_GRAPH_PASSES_INTEGERS_H

#include "graph/passes/passes.h"

typedef struct FvIntegers {
  FvGraph *graph;
  FvError *err;
  int changed;
  int names; /* values made so far */
} FvIntegers;

/* An 8-bit value and what its steps mean: the far side of a DequantizeLinear, or of the QuantizeLinear that makes it. */
typedef struct FvSteps {
  FvValue *x;            /* 8 bits; may be constant */
  FvValue *scale, *zero; /* constants; zero NULL: 0 */
  int axis;              /* -1: per tensor */
} FvSteps;

/* What `value` dequantises, with constant parameters. per_tensor: refuses one scale per channel. */
bool fv_steps_of(const FvValue *value, bool per_tensor, FvSteps *steps);
/* The computed, static value that `value` dequantises per tensor. */
bool fv_computed_steps(const FvValue *value, FvSteps *steps);
/* The QuantizeLinear that alone uses value, per tensor, with constant parameters and 8 bits; NULL when there is none. */
FvNode *fv_steps_user(const FvIntegers *in, const FvValue *value, FvSteps *steps);
float fv_steps_scale(const FvSteps *steps);
int32_t fv_steps_zero(const FvSteps *steps);
bool fv_steps_equal(const FvSteps *a, const FvSteps *b);
/* The zero point, made where the file left it out: integer operators take their type from it. */
FvValue *fv_steps_zero_value(FvIntegers *in, const FvSteps *steps);

/* Building. All keep use counts right; NULL or negative with the error set when memory is out. */
int fv_integers_no_memory(FvIntegers *in);
FvValue *fv_integers_value(FvIntegers *in, const FvValue *like, FvDtype dtype);
FvValue *fv_integers_constant(FvIntegers *in, FvDtype dtype, int rank, const int64_t *dims, const void *data);
FvNode *fv_integers_node(FvIntegers *in, const char *domain, const char *op, const char *name, int count, FvValue *const *inputs, FvValue *output);
static inline void fv_integers_uses(FvNode *node, FvValue *value) {
  value->use_count++;
  value->user = node;
}
void fv_integers_kill(FvNode *node);
/* The node becomes another operator on other inputs; shapes and params are worked out anew. */
int fv_integers_become(FvIntegers *in, FvNode *node, const char *domain, const char *op, int count, FvValue *const *inputs, FvValue *output);

/* Each looks at one node; returns 1 when it became something on integers, 0 when not, negative on errors. */
int fv_integers_conv(FvIntegers *in, FvNode *node);
int fv_integers_matmul(FvIntegers *in, FvNode *node);
int fv_integers_binary(FvIntegers *in, FvNode *node);
int fv_integers_average(FvIntegers *in, FvNode *node);
int fv_integers_absorb(FvIntegers *in, FvNode *node);     /* an activation behind a product that quantises already */
int fv_integers_table(FvIntegers *in, FvNode *quantise);  /* whatever is a function of one byte, from the bytes to `quantise` */
int fv_integers_movement(FvIntegers *in, FvNode *node);   /* DequantizeLinear moves behind what only moves numbers */
int fv_integers_concat(FvIntegers *in, FvNode *node);
int fv_integers_spell(FvIntegers *in, FvNode *node);      /* QLinear operators that have a float form, as QDQ */

/* A byte value in the given steps: itself, its maker made to use them, or through a table. NULL when memory is out. */
FvValue *fv_integers_in_steps(FvIntegers *in, const FvValue *dequantised, const FvSteps *from, const FvSteps *to);

#endif
