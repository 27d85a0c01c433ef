/* The one function of a fuzz target, as libFuzzer calls it. */
#ifndef FOVEA_FUZZ_H
#define FOVEA_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
