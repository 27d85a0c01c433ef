/* Kinds of reduction, as in core/ops/params.h; core/vulkan/ops_reduce.c asserts that they agree. */
#ifndef FOVEA_SHADERS_REDUCE_TYPES_H
#define FOVEA_SHADERS_REDUCE_TYPES_H
#define REDUCE_SUM 0
#define REDUCE_MEAN 1
#define REDUCE_MAX 2
#define REDUCE_MIN 3
#define REDUCE_PROD 4
#define REDUCE_L1 5
#define REDUCE_L2 6
#define REDUCE_LOG_SUM 7
#define REDUCE_LOG_SUM_EXP 8
#define REDUCE_SUM_SQUARE 9
#endif
