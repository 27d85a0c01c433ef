/* The devices that plans can be made for. */
#ifndef FOVEA_DEVICE_H
#define FOVEA_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <fovea/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum FvDeviceKind {
  FV_DEVICE_CPU = 0,
  FV_DEVICE_DISCRETE_GPU,
  FV_DEVICE_INTEGRATED_GPU,
  FV_DEVICE_VIRTUAL_GPU,
  FV_DEVICE_SOFTWARE, /* Vulkan computed by the CPU */
} FvDeviceKind;

/* What a Vulkan device reports of itself; all zero for the CPU. */
typedef struct FvVulkanTraits {
  int api_major, api_minor;
  char driver[160];                /* "llvmpipe, Mesa 22.3.6 (LLVM 15.0.6)" */
  unsigned driver_version, vendor_id, device_id;
  char cache_id[33];               /* of device and driver: names what is kept for them, hexadecimal */
  bool storage8, storage16;        /* 8 and 16 bit numbers in buffers */
  bool float16, float64, int8, int16, int64; /* arithmetic */
  bool dot_product, dot_product_accelerated; /* four 8-bit products at once; and in hardware */
  int subgroup_size;
  char subgroup_operations[128];   /* "basic vote arithmetic …", words by spaces; of compute shaders */
  bool cooperative_matrix;
  bool timeline;                   /* timeline semaphores */
  bool host_import;                /* memory of the host used in place… */
  int64_t host_import_alignment;   /* …where it is aligned to so many bytes */
  bool dma_buf;
  bool unified;                    /* its memory is the host's */
  bool async_compute;              /* the queue used computes and does not draw */
  int queue_family;
  int timestamp_bits;              /* 0: steps cannot be timed */
  int64_t memory_bytes;            /* of its own heaps; of the host's for a unified one */
  int64_t visible_bytes;           /* of those, what the host can reach */
  int64_t largest_buffer;          /* bytes that a shader reaches in one buffer */
  int64_t largest_texel_buffer;    /* elements of a texel buffer */
} FvVulkanTraits;

typedef struct FvDeviceInfo {
  char id[32];          /* what FvPlanParams.device takes: "cpu", "vulkan:0" */
  char name[128];       /* "AMD EPYC 9B14, 2 cores" */
  char features[256];   /* "sse4.2 avx2 fma f16c", words by spaces */
  int usable;           /* 0: listed so that a user sees why it is not; reason says */
  char reason[160];
  FvDeviceKind kind;
  FvVulkanTraits vulkan;
} FvDeviceInfo;

/* Writes up to capacity devices and returns how many there are, the CPU first. Thread-safe. */
FV_API int fv_devices_list(FvDeviceInfo *devices, int capacity);
/* "cpu", "discrete", "integrated", "virtual" or "software"; static storage. */
FV_API const char *fv_device_kind_name(FvDeviceKind kind);
/* How shaders of a Vulkan device read buffers, "texel" or "storage", whichever a short measurement on it finds faster; static storage. Opens the device,
 * which takes a moment. NULL with a sentence when it cannot be opened, or is no Vulkan device. */
FV_API const char *fv_device_load_path(const char *id, FvError *err);

#ifdef __cplusplus
}
#endif
#endif
