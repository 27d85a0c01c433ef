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
  const char *text;      /* the scalar, or what the secret says */
  const char *reference; /* of a secret that is nothing but a file or a variable: "file:PATH", "env:NAME"; else NULL */
  double number;         /* of numbers, FV_KEY_SWITCH (0 or 1), FV_KEY_CHOICE (index), FV_KEY_DURATION (ms), FV_KEY_BYTES and FV_KEY_RATE (bytes) */
  bool secret;           /* came by {file: …} or {env: …}: shown nowhere */
} FvPipelineValue;

typedef struct FvPipelineModel {
  const char *name;
  FvPlace place;
  FvPipelineValue path, config, labels, signature, trusted_keys, device, precision, fallback, threads, threshold, iou_threshold, max_detections;
} FvPipelineModel;

/* Blocks inside cameras and outputs begin with their node, NULL where they were not given. */
typedef struct FvDetectConfig {
  const FvYamlNode *node;
  FvPipelineValue model, fps, interval, policy, meta;
} FvDetectConfig;

typedef struct FvDecodeConfig {
  const FvYamlNode *node;
  FvPipelineValue decoder, skip, loop_filter, max_fps;
} FvDecodeConfig;

typedef struct FvOverlayConfig {
  const FvYamlNode *node;
  FvPipelineValue line_width, font_size, labels, scores;
} FvOverlayConfig;

typedef struct FvRetryConfig {
  const FvYamlNode *node;
  FvPipelineValue min, max;
} FvRetryConfig;

typedef struct FvTlsConfig {
  const FvYamlNode *node;
  FvPipelineValue ca, cert, key, verify;
} FvTlsConfig;

typedef struct FvBatchConfig {
  const FvYamlNode *node;
  FvPipelineValue records, wait;
} FvBatchConfig;

typedef struct FvRotateConfig {
  const FvYamlNode *node;
  FvPipelineValue bytes, keep;
} FvRotateConfig;

typedef struct FvSpoolConfig {
  const FvYamlNode *node;
  FvPipelineValue path, bytes, age, policy, sync, sync_interval, order, rate;
} FvSpoolConfig;

typedef struct FvCameraConfig {
  const char *name;
  FvPlace place;
  FvPipelineValue uri, username, password, transport, latency, stall_timeout, placeholder, width, height, restart;
  FvRetryConfig retry;
  FvDecodeConfig decode;
  FvDetectConfig detect;
  const FvPipelineModel *model; /* of detect.model */
  FvPipelineValue overlay_switch;     /* overlay: true or false */
  FvOverlayConfig overlay;    /* overlay: {…} */
  const FvYamlNode *outputs_node; /* list of names; NULL: every output */
} FvCameraConfig;

typedef enum FvOutputType {
  FV_OUTPUT_FILE,
  FV_OUTPUT_STDOUT,
  FV_OUTPUT_VIDEO,
  FV_OUTPUT_DISPLAY,
  FV_OUTPUT_MQTT,
  FV_OUTPUT_HTTP,
  FV_OUTPUT_KAFKA,
  FV_OUTPUT_CLIPS,
  FV_OUTPUT_UPLINK
} FvOutputType;

/* What an output takes from a camera. */
typedef enum FvOutputFeed {
  FV_FEED_RECORDS, /* what the detector found */
  FV_FEED_PICTURE, /* decoded frames with boxes */
  FV_FEED_ENCODED  /* the camera's own video */
} FvOutputFeed;

typedef struct FvOutputConfig {
  const char *name;
  FvPlace place;
  FvOutputType kind;
  FvPipelineValue type, path, append, codec, bitrate;
  FvPipelineValue content, include_empty, analysed_only, event_interval, event_timeout;
  FvPipelineValue address, topic, qos, version, client_id, availability_topic, keep_alive, username, password, token, drain;
  FvPipelineValue sink, replay_sink, live_latency, confirm_after;
  FvPipelineValue labels, threshold, before, after, max_duration, max_bytes, max_age;
  FvRotateConfig rotate;
  FvTlsConfig tls;
  FvBatchConfig batch;
  FvSpoolConfig spool;
  FvRetryConfig retry;
} FvOutputConfig;

typedef struct FvConfig {
  int references;
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
/* Everything in a configuration lives as long as somebody holds a reference. All of them belong to one thread. */
FvConfig *fv_config_ref(FvConfig *config);
void fv_config_unref(FvConfig *config); /* accepts NULL */

/* True when camera writes to output. */
bool fv_config_camera_uses(const FvCameraConfig *camera, const FvOutputConfig *output);
const char *fv_output_type_name(FvOutputType type);
FvOutputFeed fv_config_feed(const FvOutputConfig *output);
/* Where camera keeps the backlog of output: with {camera} filled in, or a folder of the camera's name added. NULL: in memory. Free with g_free(). */
char *fv_config_spool_folder(const FvCameraConfig *camera, const FvOutputConfig *output);
/* text with the camera's name for {camera}. */
char *fv_config_expand(const char *text, const FvCameraConfig *camera);
/* auto, cpu, vulkan, vulkan:N or vulkan:NAME; whether the machine has it, only loading a model tells. */
bool fv_config_device_is_valid(const char *device);
/* Value's index among the choices of its key, or fallback when it was not given. */
int fv_pipeline_value_choice(const FvPipelineValue *value, int fallback);

/* Choices of keys, in the order of these enums. */
typedef enum FvRestart { FV_RESTART_AUTO, FV_RESTART_ALWAYS, FV_RESTART_ON_ERROR, FV_RESTART_NEVER } FvRestart;
typedef enum FvCodec { FV_CODEC_AUTO, FV_CODEC_H264, FV_CODEC_VP8, FV_CODEC_VP9 } FvCodec;

typedef enum FvDecoder { FV_DECODER_AUTO, FV_DECODER_FOVEADECODE, FV_DECODER_DECODEBIN } FvDecoder;

/* The key tables, for the parser and for the test that compares them with the schema. */
typedef enum FvKeyType {
  FV_KEY_TEXT,
  FV_KEY_TEXTS,    /* a list of texts, or one; text joins them with commas */
  FV_KEY_SECRET,   /* text, {file: PATH} or {env: NAME} */
  FV_KEY_INTEGER,
  FV_KEY_NUMBER,
  FV_KEY_DURATION, /* "500ms"; limits in ms */
  FV_KEY_BYTES,    /* "512MiB" */
  FV_KEY_RATE,     /* "1MiB/s" */
  FV_KEY_SWITCH,   /* true or false */
  FV_KEY_CHOICE,
  FV_KEY_SECTION,  /* keys of its own, read into a struct that begins with its node */
  FV_KEY_BLOCK     /* read by a function of its own */
} FvKeyType;

typedef struct FvSection FvSection;

typedef struct FvKey {
  const char *name;
  FvKeyType type;
  size_t offset; /* of the FvPipelineValue, or of the struct of the section, in the section's struct */
  bool required;
  double min, max;
  const char *const *choices;
  const FvSection *section;
  const char *plain_unit; /* of a duration that is a number alone; NULL: a unit is required */
  unsigned only;          /* 1 << FvOutputType for which an output's key is; 0: all */
} FvKey;

struct FvSection {
  const char *name; /* "camera": also the name under $defs in the schema */
  const FvKey *keys;
  int key_count;
  const char *const *later; /* keys of the design that this version does not have yet, or NULL */
  bool short_form;          /* a single value stands for its first key */
};

enum {
  FV_SECTION_DOCUMENT,
  FV_SECTION_MODEL,
  FV_SECTION_CAMERA,
  FV_SECTION_DECODE,
  FV_SECTION_DETECT,
  FV_SECTION_OVERLAY,
  FV_SECTION_RETRY,
  FV_SECTION_OUTPUT,
  FV_SECTION_ROTATE,
  FV_SECTION_TLS,
  FV_SECTION_BATCH,
  FV_SECTION_SPOOL,
  FV_SECTION_STEP,
  FV_SECTION_COUNT
};
extern const FvSection fv_config_sections[FV_SECTION_COUNT];

#endif
