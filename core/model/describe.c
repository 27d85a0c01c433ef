#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/model_internal.h"
#include "vision/describe.h"

int fv_model_config_read(const FvModel *model, const FvModelParams *params, FvModelConfig *config, FvError *err) {
  *config = (FvModelConfig){.path = fv_description_find(model->from_memory ? NULL : model->path, model->name, params ? params->config : NULL)};
  return config->path ? fv_file_read(config->path, FV_MAX_CONFIG_BYTES, &config->text, &config->size, err) : 0;
}

void fv_model_config_finish(FvModelConfig *config) {
  free(config->path);
  free(config->text);
  *config = (FvModelConfig){0};
}

/* A description that travels in the model's metadata counts too, but the file's keys win; its mistakes are reported when it is read
 * for good. */
static void read_embedded(const FvModel *model, FvDescription *description) {
  for (int i = 0; i < model->file.metadata_count; i++) {
    const FvModelPair *pair = &model->file.metadata[i];
    if (strcmp(pair->key, "fovea.description") == 0)
      fv_description_read_embedded(description, pair->value, strlen(pair->value), model->path, NULL);
  }
}

int fv_model_config_size(const FvModel *model, const FvModelConfig *config, FvPreprocess *size, FvError *err) {
  FvDescription description = {0};
  int result = 0;
  read_embedded(model, &description);
  if (config->path) result = fv_description_read_yaml(&description, config->text, config->size, config->path, err);
  *size = description.preprocess;
  fv_description_finish(&description);
  return result;
}

static int infer(FvModel *model, FvError *err) {
  int count = model->file.metadata_count;
  FvMetadata *metadata = calloc((size_t)count + 1, sizeof *metadata);
  if (!metadata) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < count; i++) metadata[i] = (FvMetadata){model->file.metadata[i].key, model->file.metadata[i].value};
  int result = fv_description_infer(&model->description, model->name, model->prepared, metadata, count, err);
  free(metadata);
  return result;
}

/* What the graph says. Not knowing is no error here: the configuration may know. */
static void describe_from_graph(FvModel *model) {
  if (model->prepared)
    infer(model, &model->describe_error);
  else
    fv_error_set(&model->describe_error, FV_ERR_CONFIG, "an input decides shapes, so the outputs are not known before its value is");
}

static int check(FvModel *model, const FvModelConfig *config, FvError *err) {
  if (model->description.family == FV_FAMILY_NONE) return 0;
  FvError wrong = {0};
  if (fv_description_check(&model->description, &wrong) == 0) {
    model->describe_error = (FvError){0};
    return 0;
  }
  if (config->path) return fv_error_set(err, FV_ERR_CONFIG, "%.256s: %.200s", config->path, wrong.message);
  model->description.family = FV_FAMILY_NONE;
  model->describe_error = wrong;
  return 0;
}

int fv_model_describe(FvModel *model, const FvModelParams *params, const FvModelConfig *config, FvError *err) {
  FvDescription *description = &model->description;
  int result = 0;
  describe_from_graph(model);
  if (config->path) result = fv_description_read_yaml(description, config->text, config->size, config->path, err);
  if (result == 0 && params && params->labels) result = fv_description_read_labels(description, params->labels, err);
  if (result == 0) result = check(model, config, err);
  if (result == 0 && !description->name && !(description->name = strdup(model->name)))
    result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  return result;
}
