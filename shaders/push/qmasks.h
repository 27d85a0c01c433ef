/* Inputs of integer operators that may be computed. */
#ifndef FOVEA_SHADERS_QMASKS_H
#define FOVEA_SHADERS_QMASKS_H

/* What inputs are there, and which lie in the weights: bits of a mask. */
#define Q_A 1
#define Q_B 2
#define Q_A_ZERO 4
#define Q_B_ZERO 8
#define Q_A_SCALE 16
#define Q_B_SCALE 32
#define Q_Y_SCALE 64
#define Q_Y_ZERO 128
#define Q_BIAS 256

#endif
