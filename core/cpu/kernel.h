/* Fast CPU kernels: rows of a table, first match wins, reference last.
 *
 * A row says what it computes and when it may be used; `suits` sees the node and its tensors as planned (dims and strides;
 * data only of constants). Preconditions shared by all rows:
 *  - tensors may have any strides unless suits checks; activations are usually channels-last, strides {H*W*P, 1, W*P, P} with pixel stride
 *    P >= C; nothing may be written between C and P: it may belong to a neighbour in a concatenation;
 *  - reading up to 64 bytes behind a tensor's last element is allowed (arenas and weights have slack), using what was read is not;
 *  - data is aligned to its element only; packed weights and scratch to 64 bytes;
 *  - node->activation and a fused residual must be honoured by rows of ops that have them;
 *  - `run` is called once per part with the same call otherwise; parts write disjoint memory and use fv_split. */
#ifndef FOVEA_CPU_KERNEL_H
#define FOVEA_CPU_KERNEL_H

#include "ir/op.h"

typedef enum FvKernelFlags { FV_KERNEL_PARALLEL = 1 << 0 /* run splits by part; else it is called once */ } FvKernelFlags;

typedef struct FvKernel {
  const char *name; /* fv_<op>_<dtype>[_<class>]_<isa> without the fv_ */
  FvOpKind op;
  unsigned cpu;     /* FvCpuFlags that must all be there; 0: portable */
  unsigned flags;
  bool (*suits)(const FvKernelQuery *query);
  size_t (*packed_size)(const FvKernelQuery *query);           /* NULL: nothing to pack */
  void (*pack)(const FvKernelQuery *query, void *packed);      /* packed is zeroed */
  size_t (*scratch_size)(const FvKernelQuery *query);          /* bytes per part; NULL: none */
  void (*run)(const FvKernelCall *call);
} FvKernel;

/* The best row for a node among those that `cpu` (FvCpuFlags) allows; NULL when only the reference will do. */
const FvKernel *fv_cpu_select(const FvKernelQuery *query, unsigned cpu);
/* Walks all rows compiled in, best instruction set first: index from 0, NULL at the end. For tests and benches. */
const FvKernel *fv_cpu_kernel_at(int index);

#endif
