/* A pipeline file, typed: models, cameras, outputs, and a raw pipeline. docs/pipelines.md says what each key means;
 * configs/pipeline.schema.json says it to editors, and a test keeps the three in step. */
#ifndef FOVEA_RUNNER_CONFIG_H
#define FOVEA_RUNNER_CONFIG_H

#include "tree.h"

#define FV_CONFIG_VERSION 1
#define FV_MAX_CAMERAS 256
#define FV_MAX_MODELS 64
#define FV_MAX_OUTPUTS 64
#define FV_MAX_STEPS 256         /* elements of a raw pipeline, branches included */
#define FV_MAX_SECRET_BYTES 65536

/* A value that a user gave, or not: node is NULL then. */
typedef struct FvPipelineValue {
  const FvYamlNode *node;
  const char *text; /* the scalar, or what the secret file says */
  double number;    /* of FV_KEY_INTEGER, FV_KEY_NUMBER, FV_KEY_SWITCH (0 or 1) and FV_KEY_CHOICE (index) */
  bool secret;      /* came from a file: shown nowhere */
} FvPipelineValue;

typedef struct FvPipelineModel {
  const char *name;
  FvPlace place;
  FvPipelineValue path, config, labels, signature, trusted_keys, device, precision, fallback, threads, threshold, iou_threshold, max_detections;
} FvPipelineModel;

typedef struct FvDetectConfig {
  FvPipelineValue model, fps, interval, policy, meta;
} FvDetectConfig;

typedef struct FvOverlayConfig {
  FvPipelineValue line_width, font_size, labels, scores;
} FvOverlayConfig;

typedef struct FvCameraConfig {
  const char *name;
  FvPlace place;
  FvPipelineValue uri, username, password, transport, latency, width, height, restart;
  const FvYamlNode *detect_node;
  FvDetectConfig detect;
  const FvPipelineModel *model; /* of detect.model */
  FvPipelineValue overlay_switch;     /* overlay: true or false */
  FvOverlayConfig overlay;    /* overlay: {…} */
  const FvYamlNode *outputs_node; /* list of names; NULL: every output */
} FvCameraConfig;

typedef enum FvOutputType { FV_OUTPUT_FILE, FV_OUTPUT_STDOUT, FV_OUTPUT_VIDEO, FV_OUTPUT_DISPLAY } FvOutputType;

typedef struct FvOutputConfig {
  const char *name;
  FvPlace place;
  FvOutputType kind;
  FvPipelineValue type, path, append, codec, bitrate;
} FvOutputConfig;

typedef struct FvConfig {
  char *file;
  FvYaml *yaml;
  GStringChunk *strings; /* texts of secrets */
  FvPipelineValue version;
  GPtrArray *models, *cameras, *outputs; /* of FvPipelineModel, FvCameraConfig, FvOutputConfig, in the order of the file */
  GPtrArray *steps;                      /* of FvStep (chain.h); NULL without pipeline: */
  FvPlace steps_place;
} FvConfig;

/* How a file reaches beyond itself; NULL members switch that off. */
typedef struct FvConfigSources {
  FvEnvFn env;
  char *(*read)(const char *path, gsize max_bytes, gsize *length, char **error); /* {file: …} secrets */
  void *user;
} FvConfigSources;
extern const FvConfigSources fv_config_sources; /* the process environment and the file system */

/* Parses and checks. Everything wrong is in problems; returns NULL when there is any. */
FvConfig *fv_config_parse(const char *data, size_t length, const FvConfigSources *sources, FvProblems *problems);
FvConfig *fv_config_load(const char *path, FvProblems *problems);
void fv_config_free(FvConfig *config);

/* True when camera writes to output. */
bool fv_config_camera_uses(const FvCameraConfig *camera, const FvOutputConfig *output);
/* auto, cpu, vulkan, vulkan:N or vulkan:NAME; whether the machine has it, only loading a model tells. */
bool fv_config_device_is_valid(const char *device);
/* Value's index among the choices of its key, or fallback when it was not given. */
int fv_pipeline_value_choice(const FvPipelineValue *value, int fallback);

/* Choices of keys, in the order of these enums. */
typedef enum FvRestart { FV_RESTART_AUTO, FV_RESTART_ALWAYS, FV_RESTART_ON_ERROR, FV_RESTART_NEVER } FvRestart;
typedef enum FvCodec { FV_CODEC_AUTO, FV_CODEC_H264, FV_CODEC_VP8, FV_CODEC_VP9 } FvCodec;

/* The key tables, for the parser and for the test that compares them with the schema. */
typedef enum FvKeyType {
  FV_KEY_TEXT,
  FV_KEY_SECRET,  /* text, or {file: PATH} */
  FV_KEY_INTEGER,
  FV_KEY_NUMBER,
  FV_KEY_SWITCH,  /* true or false */
  FV_KEY_CHOICE,
  FV_KEY_BLOCK    /* read by a function of its own */
} FvKeyType;

typedef struct FvKey {
  const char *name;
  FvKeyType type;
  size_t offset; /* of the FvPipelineValue in the section's struct */
  bool required;
  double min, max;
  const char *const *choices;
} FvKey;

typedef struct FvSection {
  const char *name; /* "camera": also the name under $defs in the schema */
  const FvKey *keys;
  int key_count;
  const char *const *later; /* keys of the design that this version does not have yet, or NULL */
} FvSection;

const FvSection *fv_config_sections(int *ret_count);

#endif
