/* Model files: parse, infer, fold, describe, and for small graphs compile; nothing is run. */
#include <fovea/fovea.h>

#include "fuzz.h"

enum { SMALL_NODES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  if (fv_model_open_memory(data, size, "fuzz.onnx", NULL, &model, NULL) < 0) return 0;
  if (fv_model_info(model).node_count <= SMALL_NODES &&
      fv_plan_create(model, &fv_plan_params(.device = "cpu", .threads = 1, .flags = FV_PLAN_REFERENCE), &plan, NULL) == 0)
    fv_plan_destroy(&plan);
  fv_model_destroy(&model);
  return 0;
}
