/* libfovea: compressed detectors on any Vulkan GPU, or on the CPU.
 *
 * Model (a file, verified) -> Plan (compiled for one device, shared by threads) -> Session (one caller's buffers).
 * examples/detect-image.c is a whole program. */
#ifndef FOVEA_FOVEA_H
#define FOVEA_FOVEA_H

#include <fovea/compress.h>
#include <fovea/container.h>
#include <fovea/description.h>
#include <fovea/detection.h>
#include <fovea/device.h>
#include <fovea/error.h>
#include <fovea/frame.h>
#include <fovea/limits.h>
#include <fovea/log.h>
#include <fovea/model.h>
#include <fovea/plan.h>
#include <fovea/spool.h>
#include <fovea/tensor.h>
#include <fovea/version.h>

#endif
