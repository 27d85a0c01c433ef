/* Plans and sessions: a model compiled for one device, and one caller's buffers to run it with.
 *
 * A plan is immutable: kernels are chosen, weights packed and memory laid out once; any number of sessions on any threads
 * share it. A session belongs to one thread at a time. Running allocates nothing, takes no lock and writes no log. */
#ifndef FOVEA_PLAN_H
#define FOVEA_PLAN_H

#include <fovea/detection.h>
#include <fovea/frame.h>
#include <fovea/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct FvPlan FvPlan;
typedef struct FvSession FvSession;

typedef struct FvNamedTensor {
  const char *name;
  FvTensor tensor;
} FvNamedTensor;

typedef enum FvPlanFlags {
  FV_PLAN_REFERENCE = 1 << 0, /* reference kernels only: slow, and what every other kernel is checked against */
  FV_PLAN_NO_FUSION = 1 << 1, /* keep the graph's operators apart */
  FV_PLAN_PROFILE = 1 << 2,   /* sessions time every step, see fv_session_step_ns */
  FV_PLAN_NO_MEASURE = 1 << 3, /* "auto" takes what it remembers, else the CPU: for programs that run a model once */
} FvPlanFlags;

/* How floats lie in memory and are computed with. The CPU computes in fp32, whatever is asked for; fv_plan_info says what came of it. */
typedef enum FvPrecision {
  FV_PRECISION_AUTO, /* fp16 on GPUs that have 16-bit storage, fp32 on software devices */
  FV_PRECISION_FP32,
  FV_PRECISION_FP16, /* activations and weights in fp16, sums in fp32; FV_ERR_DEVICE where a device has no 16-bit storage */
  FV_PRECISION_FP16_ARITHMETIC, /* convolutions and chains of element-wise operators are computed in fp16 too, sums of up to 16 products; takes fp16 arithmetic besides */
} FvPrecision;
/* "auto", "fp32", "fp16", "fp16-arithmetic"; -1 for anything else and NULL. */
FV_API int fv_precision_from_name(const char *name);
FV_API const char *fv_precision_name(FvPrecision precision);

typedef struct FvPlanParams {
  /* "cpu", "vulkan", "vulkan:N", "vulkan:NAME" or "auto", which NULL is too. "auto" is what the environment's FOVEA_DEVICE names, where it is set; else the
   * device that runs this model fastest. It is measured once, which can take seconds, and remembered in the cache folder for this model, shapes, machine and
   * drivers. Where the CPU needs at most 5 ms a run nothing else is tried; a model that was made in memory (fv_compress) stays on the CPU. docs/vulkan.md tells the rest. */
  const char *device;
  int threads;        /* 1 to FV_MAX_THREADS; 0: one per core */
  unsigned flags;     /* FvPlanFlags */
  const FvNamedTensor *constants; /* graph inputs fixed at load, copied; see fv_model_input_is_shape */
  int constant_count;
  FvPrecision precision; /* 0 is FV_PRECISION_AUTO */
} FvPlanParams;

#define fv_plan_params(...) ((FvPlanParams){__VA_ARGS__})

/* Compiles model for a device. params may be NULL. The plan keeps its own reference to the model.
 * Errors: FV_ERR_UNSUPPORTED names the node and operator; FV_ERR_DEVICE; FV_ERR_LIMIT. */
FV_API int fv_plan_create(FvModel *model, const FvPlanParams *params, FvPlan **plan, FvError *err);
typedef struct FvTuning {
  int layers, distinct;       /* convolutions that can be computed in several ways, and how many of them differ */
  int changed;                /* distinct ones for which another way than the usual is faster */
  double before_ms, after_ms; /* of all distinct ones together: as usual, and with the fastest */
} FvTuning;
typedef int (*FvTuneFn)(void *data, int done, int total); /* steps; 0 stops, and what was found until then is kept */
/* Times the ways in which the plan's device can compute each of its convolutions, and keeps the fastest on disk: plans made from then on use them, on
 * this driver and device. tell may be NULL. FV_ERR_UNSUPPORTED: the device, such as the CPU, has nothing to choose. Takes seconds to minutes. */
FV_API int fv_plan_tune(FvPlan *plan, FvTuneFn tell, void *data, FvTuning *tuning, FvError *err);

FV_API FvPlan *fv_plan_ref(FvPlan *plan);
FV_API void fv_plan_destroy(FvPlan **plan);
FV_API FvModel *fv_plan_model(const FvPlan *plan); /* borrowed */

typedef struct FvPlanInfo {
  const char *device;      /* "cpu" */
  const char *choice;      /* what "auto" knew of it, "12.3 ms a run, cpu 40.1 ms"; empty for a device that was asked for */
  const char *instructions; /* the best instruction set used: "avx2", "neon", "reference" */
  FvPrecision precision;   /* FP32, FP16 or FP16_ARITHMETIC */
  int threads;
  int step_count;
  int64_t macs;            /* multiply-accumulates per run */
  int64_t weight_bytes;    /* packed weights, shared by all sessions */
  int64_t session_bytes;   /* activations and scratch of one session, with staging_bytes */
  int64_t staging_bytes;   /* copies of inputs and outputs for a device that does not share the host's memory */
} FvPlanInfo;
FV_API FvPlanInfo fv_plan_info(const FvPlan *plan);

/* How a device did in the measurement that "auto" decides by. */
typedef struct FvDeviceTiming {
  char device[32];   /* as in FvDeviceInfo */
  char name[128];
  double ms;         /* its best run; 0: it was not timed */
  bool chosen;
  char reason[160];  /* why it was chosen or not */
} FvDeviceTiming;
/* Measures the model on all devices now, whatever is remembered and however fast the CPU is, and remembers the result: "auto" follows it from then on.
 * Writes up to capacity rows and returns how many there are. params->device is not looked at. Errors: those of fv_plan_create when no device can run it. */
FV_API int fv_devices_measure(FvModel *model, const FvPlanParams *params, FvDeviceTiming *table, int capacity, FvError *err);

typedef struct FvStepInfo {
  const char *name;     /* node name, or the output's when it has none */
  const char *operation; /* operator with what was fused: "Conv+Relu" */
  const char *kernel;   /* "conv_igemm_f32_avx2" */
  FvTensor output;      /* shape and strides of the first output; data NULL */
  int64_t macs;
} FvStepInfo;
FV_API FvStepInfo fv_plan_step(const FvPlan *plan, int index);

/* Creates the buffers for one caller. The session keeps its own reference to the plan. */
FV_API int fv_session_create(FvPlan *plan, FvSession **session, FvError *err);
FV_API void fv_session_destroy(FvSession **session);

FV_API int fv_session_input_count(const FvSession *session);
FV_API int fv_session_output_count(const FvSession *session);
FV_API const char *fv_session_input_name(const FvSession *session, int index);
FV_API const char *fv_session_output_name(const FvSession *session, int index);
/* The session's own buffers. Fill inputs through their strides (fv_tensor_copy does) before run; outputs are valid until the
 * next run. An output whose length depends on the data (NonMaxSuppression) has its true dims after run. */
FV_API const FvTensor *fv_session_input(const FvSession *session, int index);
FV_API const FvTensor *fv_session_output(const FvSession *session, int index);
FV_API int fv_session_run(FvSession *session, FvError *err);

typedef struct FvDetectParams {
  float threshold;     /* 0..1; 0: the description's */
  float iou_threshold; /* 0..1; 0: the description's */
  int max_detections;  /* 1 to FV_MAX_DETECTIONS; 0: the caller's array is the bound */
} FvDetectParams;
#define fv_detect_params(...) ((FvDetectParams){__VA_ARGS__})

/* Frame to boxes: converts, runs, decodes, suppresses. The session's inputs and outputs need not hold the frame and its raw outputs afterwards: a device may
 * have kept them. Writes at most `capacity` detections, best scores first, into found and returns
 * their number. params may be NULL. Classifiers give one detection per class over the threshold that spans the frame. */
FV_API int fv_session_detect(FvSession *session, const FvFrame *frame, const FvDetectParams *params, FvDetection *found,
                             int capacity, FvError *err);

/* May frames lie in DMA buffers (FvFrame.dma)? A buffer that cannot be imported after all is FV_ERR_UNSUPPORTED: map it. */
FV_API bool fv_session_imports_dma(const FvSession *session);

typedef struct FvTiming {
  uint64_t preprocess_ns, infer_ns, postprocess_ns; /* of the last fv_session_detect */
} FvTiming;
FV_API FvTiming fv_session_timing(const FvSession *session);
typedef struct FvTraffic {
  uint64_t uploaded_bytes, read_bytes; /* to the device and back, of the last run or fv_session_detect; 0 on the CPU. Where memory is shared: what was touched */
} FvTraffic;
FV_API FvTraffic fv_session_traffic(const FvSession *session);
/* Nanoseconds that a step took in the last run; 0 without FV_PLAN_PROFILE. */
FV_API uint64_t fv_session_step_ns(const FvSession *session, int step);

#ifdef __cplusplus
}
#endif
#endif
