/* device="auto": which device runs a model fastest. */
#ifndef FOVEA_SESSION_CHOOSE_H
#define FOVEA_SESSION_CHOOSE_H

#include <fovea/device.h>
#include <fovea/plan.h>

/* The plan on the device that wins: as remembered, else as measured. params are checked. */
int fv_plan_choose(FvModel *model, const FvPlanParams *params, FvPlan **plan, FvError *err);

/* What is remembered of a model, in choose_cache.c. */
enum { FV_CHOICE_KEY_BYTES = 32 };
typedef struct FvChoice {
  uint8_t key[FV_CHOICE_KEY_BYTES];     /* of model, input shapes, constants, parameters and CPU */
  uint8_t devices[FV_CHOICE_KEY_BYTES]; /* of all devices and drivers there were; zero: none was looked at */
  char device[32];
  float ms, cpu_ms;                     /* a run on it, and on the CPU (0: it could not) */
} FvChoice;

/* False when the model has no hash, so that nothing can be remembered of it. */
bool fv_choice_key(const FvModel *model, const FvPlanParams *params, uint8_t key[FV_CHOICE_KEY_BYTES]);
void fv_choice_devices(const FvDeviceInfo *devices, int count, uint8_t key[FV_CHOICE_KEY_BYTES]);
bool fv_choice_recall(const uint8_t key[FV_CHOICE_KEY_BYTES], FvChoice *choice);
void fv_choice_remember(const FvChoice *choice);

#endif
