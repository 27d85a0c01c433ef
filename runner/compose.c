#include "compose.h"

#include <string.h>

#include <gst/gst.h>

#define DEFAULT_LATENCY_MS 200 /* rtspsrc's own two seconds are for watching films */

/* --- Sources ----------------------------------------------------------------------------------------------------- */

/* Only video is decoded and exposed; sound costs nothing. */
static void limit_to_video(FvStep *decode) {
  fv_step_set(decode, "caps", "video/x-raw(ANY)", decode->place);
  fv_step_set(decode, "expose-all-streams", "false", decode->place);
}

void fv_compose_file_source(GPtrArray *chain, const char *path, FvPlace place) {
  FvStep *source = fv_chain_add(chain, "filesrc", "source", place);
  fv_step_set(source, "location", path, place);
  limit_to_video(fv_chain_add(chain, "decodebin", NULL, place));
}

static bool has_scheme(const char *uri, const char *scheme) {
  size_t length = strlen(scheme);
  return g_ascii_strncasecmp(uri, scheme, length) == 0 && g_str_has_prefix(uri + length, "://");
}

bool fv_compose_is_live(const FvCameraConfig *camera) {
  const char *uri = camera->uri.text;
  return strstr(uri, "://") != NULL && !has_scheme(uri, "file");
}

static void mark_secret(FvStep *step, const FvPipelineValue *value) {
  FvProperty *property = g_ptr_array_index(step->properties, step->properties->len - 1);
  property->secret = value->secret;
}

static void set_value(FvStep *step, const char *name, const FvPipelineValue *value) {
  if (value->node == NULL) return;
  fv_step_set(step, name, value->text, value->node->place);
  mark_secret(step, value);
}

static void compose_v4l2(GPtrArray *chain, const FvCameraConfig *camera) {
  FvPlace place = camera->uri.node->place;
  FvStep *source = fv_chain_add(chain, "v4l2src", "source", place);
  fv_step_set(source, "device", camera->uri.text + strlen("v4l2://"), place);
  mark_secret(source, &camera->uri);
  GString *size = g_string_new(NULL);
  if (camera->width.node != NULL) g_string_append_printf(size, ",width=%d", (int)camera->width.number);
  if (camera->height.node != NULL) g_string_append_printf(size, ",height=%d", (int)camera->height.number);
  if (size->len > 0)
    fv_step_printf(fv_chain_add(chain, "capsfilter", NULL, place), "caps", place, "video/x-raw%s;image/jpeg%s", size->str, size->str);
  g_string_free(size, TRUE);
  limit_to_video(fv_chain_add(chain, "decodebin", NULL, place));
}

static void compose_network(GPtrArray *chain, const FvCameraConfig *camera) {
  FvPlace place = camera->uri.node->place;
  FvStep *source = fv_chain_add(chain, "uridecodebin", NULL, place);
  set_value(source, "uri", &camera->uri);
  limit_to_video(source);
  if (!has_scheme(camera->uri.text, "rtsp") && !has_scheme(camera->uri.text, "rtsps")) return;
  set_value(source, "source::user-id", &camera->username);
  set_value(source, "source::user-pw", &camera->password);
  if (camera->password.node != NULL) ((FvProperty *)g_ptr_array_index(source->properties, source->properties->len - 1))->secret = TRUE;
  if (camera->latency.node != NULL)
    set_value(source, "source::latency", &camera->latency);
  else
    fv_step_printf(source, "source::latency", place, "%d", DEFAULT_LATENCY_MS);
  if (camera->transport.node != NULL && !g_str_equal(camera->transport.text, "auto"))
    set_value(source, "source::protocols", &camera->transport);
}

static void compose_source(GPtrArray *chain, const FvCameraConfig *camera, FvProblems *problems) {
  const char *uri = camera->uri.text;
  FvPlace place = camera->uri.node->place;
  if (has_scheme(uri, "v4l2")) {
    compose_v4l2(chain, camera);
  } else if (fv_compose_is_live(camera)) {
    compose_network(chain, camera);
  } else {
    GError *error = NULL;
    char *path = has_scheme(uri, "file") ? g_filename_from_uri(uri, NULL, &error) : g_strdup(uri);
    if (path == NULL) {
      fv_problems_add(problems, place, "uri is not a usable file URI (file:///folder/name, with %%20 for a space)");
      g_error_free(error);
      return;
    }
    fv_compose_file_source(chain, path, place);
    FvStep *source = g_ptr_array_index(chain, 0);
    mark_secret(source, &camera->uri);
    g_free(path);
  }
}

/* --- Detection --------------------------------------------------------------------------------------------------- */

static void compose_detect(GPtrArray *chain, const FvCameraConfig *camera) {
  const FvPipelineModel *model = camera->model;
  FvPlace place = camera->detect_node->key_place;
  if (camera->detect.fps.node != NULL) {
    FvStep *rate = fv_chain_add(chain, "videorate", NULL, place);
    fv_step_set(rate, "drop-only", "true", place);
    set_value(rate, "max-rate", &camera->detect.fps);
  }
  fv_chain_add(chain, "videoconvert", NULL, place); /* passes frames through where the detector reads them as they are */
  FvStep *detect = fv_chain_add(chain, "foveadetect", FV_DETECT_NAME, place);
  set_value(detect, "model", &model->path);
  set_value(detect, "config", &model->config);
  set_value(detect, "labels", &model->labels);
  set_value(detect, "signature", &model->signature);
  set_value(detect, "trusted-keys", &model->trusted_keys);
  set_value(detect, "device", &model->device);
  set_value(detect, "precision", &model->precision);
  set_value(detect, "fallback", &model->fallback);
  set_value(detect, "threads", &model->threads);
  set_value(detect, "threshold", &model->threshold);
  set_value(detect, "iou-threshold", &model->iou_threshold);
  set_value(detect, "max-detections", &model->max_detections);
  set_value(detect, "interval", &camera->detect.interval);
  set_value(detect, "policy", &camera->detect.policy);
  set_value(detect, "meta", &camera->detect.meta);
}

/* --- Outputs ----------------------------------------------------------------------------------------------------- */

static char *expand_path(const char *path, const char *camera) {
  GString *text = g_string_new(path);
  g_string_replace(text, "{camera}", camera, 0);
  return g_string_free(text, FALSE);
}

static char *numbered_path(const char *path, int attempt) {
  if (attempt == 0) return g_strdup(path);
  const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
  if (dot == NULL || (slash != NULL && dot < slash)) dot = path + strlen(path);
  return g_strdup_printf("%.*s-%d%s", (int)(dot - path), path, attempt, dot);
}

static void compose_publish(GPtrArray *chain, const FvCameraConfig *camera, const FvOutputConfig *output, int attempt) {
  FvStep *publish = fv_chain_add(chain, "foveapublish", NULL, output->place);
  bool file = output->kind == FV_OUTPUT_FILE;
  fv_step_set(publish, "method", file ? "file" : "stdout", output->place);
  fv_step_set(publish, "source", camera->name, output->place);
  if (!file) return;
  char *path = expand_path(output->path.text, camera->name);
  fv_step_set(publish, "file-path", path, output->path.node->place);
  if (attempt > 0) /* a camera that comes back goes on in its file */
    fv_step_set(publish, "append", "true", output->place);
  else
    set_value(publish, "append", &output->append);
  g_free(path);
}

typedef struct Encoder {
  FvCodec codec;
  const char *factory, *settings; /* name=value words; the second list is for a given bit rate, %d is filled with unit × kbit/s */
  const char *rate_settings;
  int unit;
} Encoder;

/* In order of preference. Quality is constant unless a bit rate is asked for. */
static const Encoder encoders[] = {
  {FV_CODEC_H264, "x264enc", "speed-preset=veryfast pass=qual quantizer=23", "speed-preset=veryfast bitrate=%d", 1},
  {FV_CODEC_H264, "openh264enc", "rate-control=quality", "rate-control=bitrate bitrate=%d", 1000},
  {FV_CODEC_VP8, "vp8enc", "deadline=1 cpu-used=8 end-usage=cq cq-level=16 target-bitrate=4000000", "deadline=1 cpu-used=8 target-bitrate=%d", 1000},
  {FV_CODEC_VP9, "vp9enc", "deadline=1 cpu-used=8 end-usage=cq cq-level=24 target-bitrate=4000000", "deadline=1 cpu-used=8 target-bitrate=%d", 1000},
};

static const struct { const char *ending, *muxer; unsigned codecs; } containers[] = {
  {".mp4", "mp4mux", 1 << FV_CODEC_H264},
  {".mkv", "matroskamux", 1 << FV_CODEC_H264 | 1 << FV_CODEC_VP8 | 1 << FV_CODEC_VP9},
  {".webm", "webmmux", 1 << FV_CODEC_VP8 | 1 << FV_CODEC_VP9},
};

static const Encoder *choose_encoder(unsigned allowed, FvCodec codec) {
  if (codec != FV_CODEC_AUTO) allowed &= 1u << codec;
  for (guint i = 0; i < G_N_ELEMENTS(encoders); i++) {
    GstElementFactory *factory = allowed & 1u << encoders[i].codec ? gst_element_factory_find(encoders[i].factory) : NULL;
    if (factory == NULL) continue;
    gst_object_unref(factory);
    return &encoders[i];
  }
  return NULL;
}

static void set_words(FvStep *step, const char *words) {
  char **list = g_strsplit(words, " ", -1);
  for (char **word = list; *word != NULL; word++) {
    char *equals = strchr(*word, '=');
    *equals = '\0';
    fv_step_set(step, *word, equals + 1, step->place);
  }
  g_strfreev(list);
}

static void compose_encoder(GPtrArray *chain, const Encoder *encoder, int bitrate, FvPlace place) {
  FvStep *step = fv_chain_add(chain, encoder->factory, NULL, place);
  if (bitrate == 0) {
    set_words(step, encoder->settings);
    return;
  }
  char **parts = g_strsplit(encoder->rate_settings, "%d", 2);
  char *words = g_strdup_printf("%s%lld%s", parts[0], (long long)bitrate * encoder->unit, parts[1]);
  set_words(step, words);
  g_free(words);
  g_strfreev(parts);
}

/* Index of the container that path's ending names, or their number. */
static guint find_container(const char *path) {
  guint container = 0;
  while (container < G_N_ELEMENTS(containers) && !g_str_has_suffix(path, containers[container].ending)) container++;
  return container;
}

bool fv_compose_can_record(const char *path) { return find_container(path) < G_N_ELEMENTS(containers); }

void fv_compose_recording(GPtrArray *chain, const char *path, FvCodec codec, int bitrate, FvPlace place, FvProblems *problems) {
  guint container = find_container(path);
  if (container == G_N_ELEMENTS(containers)) {
    fv_problems_add(problems, place, "a recording's name must end with .mp4, .mkv or .webm");
    return;
  }
  const Encoder *encoder = choose_encoder(containers[container].codecs, codec);
  if (encoder == NULL) {
    bool possible = codec == FV_CODEC_AUTO || (containers[container].codecs & 1u << codec);
    fv_problems_add(problems, place, possible ? "no encoder for %s files is installed: install gstreamer1.0-plugins-ugly or gstreamer1.0-plugins-good"
                                              : "%s files do not hold this codec", containers[container].ending);
    return;
  }
  fv_chain_add(chain, "videoconvert", NULL, place);
  /* Encoders would take 4:4:4 from an RGB source, which few players show. */
  fv_step_set(fv_chain_add(chain, "capsfilter", NULL, place), "caps", "video/x-raw,format=I420", place);
  compose_encoder(chain, encoder, bitrate, place);
  if (encoder->codec == FV_CODEC_H264) fv_chain_add(chain, "h264parse", NULL, place);
  fv_chain_add(chain, containers[container].muxer, NULL, place);
  fv_step_set(fv_chain_add(chain, "filesink", NULL, place), "location", path, place);
}

static void compose_overlay(GPtrArray *chain, const FvCameraConfig *camera) {
  const FvYamlNode *node = camera->overlay_switch.node;
  if (camera->detect_node == NULL || (node != NULL && camera->overlay_switch.number == 0)) return;
  FvStep *overlay = fv_chain_add(chain, "foveaoverlay", NULL, node != NULL ? node->place : camera->place);
  set_value(overlay, "line-width", &camera->overlay.line_width);
  set_value(overlay, "font-size", &camera->overlay.font_size);
  set_value(overlay, "show-labels", &camera->overlay.labels);
  set_value(overlay, "show-scores", &camera->overlay.scores);
}

static void compose_picture(GPtrArray *chain, const FvCameraConfig *camera, const FvOutputConfig *output, int attempt, FvProblems *problems) {
  if (output->kind == FV_OUTPUT_DISPLAY) {
    fv_chain_add(chain, "videoconvert", NULL, output->place);
    fv_chain_add(chain, "autovideosink", NULL, output->place);
    return;
  }
  char *name = expand_path(output->path.text, camera->name), *path = numbered_path(name, attempt);
  int bitrate = output->bitrate.node != NULL ? (int)output->bitrate.number : 0;
  fv_compose_recording(chain, path, (FvCodec)fv_pipeline_value_choice(&output->codec, FV_CODEC_AUTO), bitrate, output->path.node->place, problems);
  g_free(name);
  g_free(path);
}

static GPtrArray *outputs_of(const FvConfig *config, const FvCameraConfig *camera, bool pictures) {
  GPtrArray *list = g_ptr_array_new();
  for (guint i = 0; i < config->outputs->len; i++) {
    FvOutputConfig *output = g_ptr_array_index(config->outputs, i);
    if (fv_config_camera_uses(camera, output) && (output->kind >= FV_OUTPUT_VIDEO) == pictures) g_ptr_array_add(list, output);
  }
  return list;
}

GPtrArray *fv_compose_camera(const FvConfig *config, const FvCameraConfig *camera, int attempt, FvProblems *problems) {
  GPtrArray *chain = fv_chain_new();
  GPtrArray *records = outputs_of(config, camera, false), *pictures = outputs_of(config, camera, true);
  compose_source(chain, camera, problems);
  if (camera->detect_node != NULL) {
    compose_detect(chain, camera);
    for (guint i = 0; i < records->len; i++) compose_publish(chain, camera, g_ptr_array_index(records, i), attempt);
  }
  if (pictures->len > 0) compose_overlay(chain, camera);
  if (pictures->len == 0) {
    fv_step_set(fv_chain_add(chain, "fakesink", NULL, camera->place), "sync", "false", camera->place);
  } else if (pictures->len == 1) {
    compose_picture(chain, camera, g_ptr_array_index(pictures, 0), attempt, problems);
  } else {
    FvStep *tee = fv_chain_add(chain, NULL, NULL, camera->place);
    for (guint i = 0; i < pictures->len; i++)
      compose_picture(fv_step_branch(tee), camera, g_ptr_array_index(pictures, i), attempt, problems);
  }
  g_ptr_array_unref(records);
  g_ptr_array_unref(pictures);
  return chain;
}
