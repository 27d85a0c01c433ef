/* .fovea files as users open them: models that open are planned, integer operators and all. They are given hashes that fit; each is tried as it is, too. */
#include <stdlib.h>
#include <string.h>

#include <fovea/fovea.h>

#include "fuzz.h"
#include "rehash.h"

static void open_file(const uint8_t *data, size_t size) {
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  if (fv_model_open_memory(data, size, "fuzz.fovea", &fv_model_params(.signature = FV_SIGNATURE_OFF), &model, NULL) < 0) return;
  fv_container_layers(model, NULL, 0);
  fv_plan_create(model, &fv_plan_params(.device = "cpu", .threads = 1), &plan, NULL);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (fv_sodium_ready(NULL) < 0) return 0;
  open_file(data, size);
  uint8_t *copy = malloc(size + 1);
  if (!copy) return 0;
  memcpy(copy, data, size);
  rehash(copy, size);
  open_file(copy, size);
  free(copy);
  return 0;
}
