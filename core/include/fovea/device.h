/* The devices that plans can be made for. */
#ifndef FOVEA_DEVICE_H
#define FOVEA_DEVICE_H

#include <fovea/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct FvDeviceInfo {
  char id[32];          /* what FvPlanParams.device takes: "cpu", "vulkan:0" */
  char name[128];       /* "AMD EPYC 9B14, 2 cores" */
  char features[256];   /* "sse4.2 avx2 fma f16c", words by spaces */
  int usable;           /* 0: listed so that a user sees why it is not; reason says */
  char reason[160];
} FvDeviceInfo;

/* Writes up to capacity devices and returns how many there are. Thread-safe. */
FV_API int fv_devices_list(FvDeviceInfo *devices, int capacity);

#ifdef __cplusplus
}
#endif
#endif
