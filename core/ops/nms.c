#include "ops/op.h"
#include "ops/families.h"

const FvOp fv_ops_nms[] = {{0}};
