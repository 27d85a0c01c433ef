/* What operators are to the quantiser. */
#ifndef FOVEA_COMPRESS_ROLES_H
#define FOVEA_COMPRESS_ROLES_H

#include "ir/op.h"

typedef enum FvRole {
  FV_ROLE_FLOAT = 0,  /* computes in f32, whatever its neighbours do */
  FV_ROLE_PRODUCT,    /* constant weights times input 0: what 8 bits are for */
  FV_ROLE_MIX,        /* 8-bit inputs, 8-bit output of another scale: additions, products, average pools */
  FV_ROLE_ACTIVATION, /* a function of one number */
  FV_ROLE_MOVE,       /* outputs hold what input 0 holds (or lies between): one scale for both */
  FV_ROLE_JOIN,       /* concatenation: one scale for all */
} FvRole;

FvRole fv_role_of(const FvNode *node);
/* The activation of a FV_ROLE_ACTIVATION. */
FvActivation fv_role_activation(const FvNode *node);
/* Does an integer product apply it to its sum, before there are 8 bits? Others become tables of 256 entries. */
bool fv_role_is_fused(FvActivationType type);

#endif
