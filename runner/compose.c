#include "compose.h"

#include <math.h>
#include <string.h>

#include <gst/gst.h>

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

static void set_number(FvStep *step, const char *name, const FvPipelineValue *value, double unit) {
  if (value->node != NULL) fv_step_printf(step, name, value->node->place, "%.0f", ceil(value->number / unit));
}

/* {camera} replaced. */
static void set_text(FvStep *step, const char *name, const FvPipelineValue *value, const FvCameraConfig *camera) {
  if (value->node == NULL) return;
  char *text = fv_config_expand(value->text, camera);
  fv_step_set(step, name, text, value->node->place);
  mark_secret(step, value);
  g_free(text);
}

/* A password by reference stays out of the process's properties; one that stands in the file is shown nowhere at least. */
static void set_password(FvStep *step, const FvPipelineValue *value) {
  if (value->node == NULL) return;
  if (value->reference != NULL) {
    fv_step_set(step, "password-from", value->reference, value->node->place);
    return;
  }
  set_value(step, "password", value);
  ((FvProperty *)g_ptr_array_index(step->properties, step->properties->len - 1))->secret = TRUE;
}

static void set_retry(FvStep *step, const FvRetryConfig *retry) {
  set_number(step, "retry-min", &retry->min, 1);
  set_number(step, "retry-max", &retry->max, 1);
}

static void set_uri(FvStep *source, const FvCameraConfig *camera, FvProblems *problems) {
  const FvPipelineValue *uri = &camera->uri;
  bool path = strstr(uri->text, "://") == NULL;
  GError *error = NULL;
  char *text = path ? gst_filename_to_uri(uri->text, &error) : g_strdup(uri->text);
  char *file = has_scheme(uri->text, "file") ? g_filename_from_uri(uri->text, NULL, &error) : NULL;
  if (error != NULL) fv_problems_add(problems, uri->node->place, "uri is not a usable file URI (file:///folder/name, with %%20 for a space)");
  fv_step_set(source, "uri", text != NULL ? text : "", uri->node->place);
  mark_secret(source, uri);
  g_clear_error(&error);
  g_free(file);
  g_free(text);
}

static void set_decoding(FvStep *step, const FvDecodeConfig *decode) {
  set_value(step, "skip", &decode->skip);
  set_value(step, "loop-filter", &decode->loop_filter);
  set_value(step, "max-fps", &decode->max_fps);
}

static void compose_source(GPtrArray *chain, const FvCameraConfig *camera, bool encoded, FvProblems *problems) {
  FvStep *source = fv_chain_add(chain, "foveasrc", FV_SOURCE_NAME, camera->uri.node->place);
  set_uri(source, camera, problems);
  set_value(source, "username", &camera->username);
  set_password(source, &camera->password);
  set_value(source, "transport", &camera->transport);
  set_number(source, "latency", &camera->latency, 1);
  set_number(source, "stall-timeout", &camera->stall_timeout, 1);
  set_retry(source, &camera->retry);
  set_value(source, "restart", &camera->restart);
  set_value(source, "placeholder", &camera->placeholder);
  set_value(source, "width", &camera->width);
  set_value(source, "height", &camera->height);
  if (encoded) {
    fv_step_set(source, "output", "encoded", camera->place);
    return;
  }
  set_value(source, "decoder", &camera->decode.decoder);
  set_decoding(source, &camera->decode);
}

/* The decoder of a branch behind a source that gives encoded video. */
static void compose_decoder(GPtrArray *chain, const FvCameraConfig *camera) {
  FvPlace place = camera->decode.node != NULL ? camera->decode.node->key_place : camera->place;
  if (fv_pipeline_value_choice(&camera->decode.decoder, FV_DECODER_AUTO) == FV_DECODER_DECODEBIN)
    limit_to_video(fv_chain_add(chain, "decodebin", NULL, place));
  else
    set_decoding(fv_chain_add(chain, "foveadecode", NULL, place), &camera->decode);
}

/* --- Detection --------------------------------------------------------------------------------------------------- */

static void compose_detect(GPtrArray *chain, const FvCameraConfig *camera) {
  static const FvPipelineModel shipped; /* nothing set: the element takes the model that comes with Fovea */
  const FvPipelineModel *model = camera->model != NULL ? camera->model : &shipped;
  FvPlace place = camera->detect.node->key_place;
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

static char *numbered_path(const char *path, int attempt) {
  if (attempt == 0) return g_strdup(path);
  const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
  if (dot == NULL || (slash != NULL && dot < slash)) dot = path + strlen(path);
  return g_strdup_printf("%.*s-%d%s", (int)(dot - path), path, attempt, dot);
}

static FvStep *add_output(GPtrArray *chain, const char *factory, const FvOutputConfig *output) {
  char *name = g_strconcat(FV_OUTPUT_NAME_PREFIX, output->name, NULL);
  FvStep *step = fv_chain_add(chain, factory, name, output->place);
  g_free(name);
  return step;
}

static void set_spool(FvStep *step, const FvCameraConfig *camera, const FvOutputConfig *output) {
  const FvSpoolConfig *spool = &output->spool;
  char *folder = fv_config_spool_folder(camera, output);
  if (folder != NULL) fv_step_set(step, "spool", folder, spool->node->place);
  g_free(folder);
  set_number(step, "spool-bytes", &spool->bytes, 1);
  set_number(step, "spool-age", &spool->age, 1000);
  set_value(step, "spool-policy", &spool->policy);
  set_value(step, "spool-order", &spool->order);
}

static void set_file(FvStep *publish, const FvCameraConfig *camera, const FvOutputConfig *output, int attempt) {
  set_text(publish, "file-path", &output->path, camera);
  if (attempt > 0) /* a camera that comes back goes on in its file */
    fv_step_set(publish, "append", "true", output->place);
  else
    set_value(publish, "append", &output->append);
  set_number(publish, "rotate-bytes", &output->rotate.bytes, 1);
  set_value(publish, "rotate-keep", &output->rotate.keep);
}

static void set_network(FvStep *publish, const FvCameraConfig *camera, const FvOutputConfig *output) {
  set_text(publish, "address", &output->address, camera);
  set_text(publish, "topic", &output->topic, camera);
  set_value(publish, "qos", &output->qos);
  set_value(publish, "mqtt-version", &output->version);
  set_text(publish, "client-id", &output->client_id, camera);
  set_text(publish, "availability-topic", &output->availability_topic, camera);
  set_number(publish, "keep-alive", &output->keep_alive, 1000);
  set_value(publish, "username", &output->username);
  set_password(publish, &output->password);
  if (output->token.node != NULL) fv_step_set(publish, "token-from", output->token.reference, output->token.node->place);
  set_value(publish, "ca-file", &output->tls.ca);
  set_value(publish, "cert-file", &output->tls.cert);
  set_value(publish, "key-file", &output->tls.key);
  set_value(publish, "tls-verify", &output->tls.verify);
  set_value(publish, "batch-records", &output->batch.records);
  set_number(publish, "batch-ms", &output->batch.wait, 1);
  set_spool(publish, camera, output);
  set_value(publish, "spool-sync", &output->spool.sync);
  set_number(publish, "spool-sync-interval", &output->spool.sync_interval, 1);
  set_number(publish, "spool-rate", &output->spool.rate, 1);
  set_retry(publish, &output->retry);
  set_number(publish, "drain-timeout", &output->drain, 1);
}

static void compose_publish(GPtrArray *chain, const FvCameraConfig *camera, const FvOutputConfig *output, int attempt) {
  FvStep *publish = add_output(chain, "foveapublish", output);
  fv_step_set(publish, "method", fv_output_type_name(output->kind), output->place);
  fv_step_set(publish, "source", camera->name, output->place);
  set_value(publish, "content", &output->content);
  set_value(publish, "include-empty", &output->include_empty);
  set_value(publish, "analysed-only", &output->analysed_only);
  set_number(publish, "event-interval", &output->event_interval, 1);
  set_number(publish, "event-timeout", &output->event_timeout, 1);
  if (output->kind == FV_OUTPUT_FILE)
    set_file(publish, camera, output, attempt);
  else if (output->kind != FV_OUTPUT_STDOUT)
    set_network(publish, camera, output);
}

/* What the detector sees makes a clip, or lets a stretch of video stay longer than others. */
static void set_trigger(FvStep *step, const FvCameraConfig *camera, const FvOutputConfig *output) {
  if (camera->detect.node == NULL) return;
  fv_step_set(step, "trigger-element", FV_DETECT_NAME, output->place);
  set_value(step, "trigger-labels", &output->labels);
  set_value(step, "trigger-confidence", &output->threshold);
}

static void compose_clips(GPtrArray *chain, const FvCameraConfig *camera, const FvOutputConfig *output) {
  FvStep *clips = add_output(chain, "foveaclips", output);
  set_text(clips, "location", &output->path, camera);
  fv_step_set(clips, "source", camera->name, output->place);
  set_number(clips, "pre-roll", &output->before, 1);
  set_number(clips, "post-roll", &output->after, 1);
  set_number(clips, "max-duration", &output->max_duration, 1);
  set_number(clips, "max-bytes", &output->max_bytes, 1);
  set_number(clips, "max-age", &output->max_age, 1000);
  set_trigger(clips, camera, output);
}

static void compose_uplink(GPtrArray *chain, const FvCameraConfig *camera, const FvOutputConfig *output) {
  FvStep *uplink = add_output(chain, "foveaspool", output);
  set_text(uplink, "sink", &output->sink, camera);
  set_text(uplink, "replay-sink", &output->replay_sink, camera);
  set_spool(uplink, camera, output);
  set_number(uplink, "replay-rate", &output->spool.rate, 1);
  set_number(uplink, "live-latency", &output->live_latency, 1);
  set_number(uplink, "confirm-after", &output->confirm_after, 1);
  set_retry(uplink, &output->retry);
  set_number(uplink, "drain-timeout", &output->drain, 1);
  set_trigger(uplink, camera, output);
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
  if (camera->detect.node == NULL || (node != NULL && camera->overlay_switch.number == 0)) return;
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
  char *name = fv_config_expand(output->path.text, camera), *path = numbered_path(name, attempt);
  int bitrate = output->bitrate.node != NULL ? (int)output->bitrate.number : 0;
  fv_compose_recording(chain, path, (FvCodec)fv_pipeline_value_choice(&output->codec, FV_CODEC_AUTO), bitrate, output->path.node->place, problems);
  g_free(name);
  g_free(path);
}

/* Without a detector there are no records, and no events to make clips of. */
static bool has_use(const FvCameraConfig *camera, const FvOutputConfig *output) {
  bool needs_detector = fv_config_feed(output) == FV_FEED_RECORDS || output->kind == FV_OUTPUT_CLIPS;
  return fv_config_camera_uses(camera, output) && (camera->detect.node != NULL || !needs_detector);
}

static GPtrArray *outputs_of(const FvConfig *config, const FvCameraConfig *camera, FvOutputFeed feed) {
  GPtrArray *list = g_ptr_array_new();
  for (guint i = 0; i < config->outputs->len; i++) {
    FvOutputConfig *output = g_ptr_array_index(config->outputs, i);
    if (has_use(camera, output) && fv_config_feed(output) == feed) g_ptr_array_add(list, output);
  }
  return list;
}

typedef struct Composition {
  const FvCameraConfig *camera;
  GPtrArray *records, *pictures, *encoded; /* of FvOutputConfig */
  int attempt;
  FvProblems *problems;
} Composition;

static void compose_pictures(const Composition *self, GPtrArray *chain) {
  const GPtrArray *pictures = self->pictures;
  if (pictures->len > 0) compose_overlay(chain, self->camera);
  if (pictures->len == 0) {
    fv_step_set(fv_chain_add(chain, "fakesink", NULL, self->camera->place), "sync", "false", self->camera->place);
  } else if (pictures->len == 1) {
    compose_picture(chain, self->camera, g_ptr_array_index(pictures, 0), self->attempt, self->problems);
  } else {
    FvStep *tee = fv_chain_add(chain, NULL, NULL, self->camera->place);
    for (guint i = 0; i < pictures->len; i++)
      compose_picture(fv_step_branch(tee), self->camera, g_ptr_array_index(pictures, i), self->attempt, self->problems);
  }
}

/* Everything that looks at decoded frames. */
static void compose_decoded(const Composition *self, GPtrArray *chain) {
  if (self->camera->detect.node != NULL) {
    compose_detect(chain, self->camera);
    for (guint i = 0; i < self->records->len; i++) compose_publish(chain, self->camera, g_ptr_array_index(self->records, i), self->attempt);
  }
  compose_pictures(self, chain);
}

static void compose_encoded(const Composition *self, GPtrArray *chain, const FvOutputConfig *output) {
  if (output->kind == FV_OUTPUT_CLIPS)
    compose_clips(chain, self->camera, output);
  else
    compose_uplink(chain, self->camera, output);
}

/* The camera's own video goes to the outputs that take it, and is decoded only where somebody looks at it. */
static void compose_branches(const Composition *self, GPtrArray *chain) {
  bool decoded = self->camera->detect.node != NULL || self->pictures->len > 0;
  if (!decoded && self->encoded->len == 1) {
    compose_encoded(self, chain, g_ptr_array_index(self->encoded, 0));
    return;
  }
  FvStep *tee = fv_chain_add(chain, NULL, NULL, self->camera->place);
  if (decoded) {
    GPtrArray *branch = fv_step_branch(tee);
    compose_decoder(branch, self->camera);
    compose_decoded(self, branch);
  }
  for (guint i = 0; i < self->encoded->len; i++) compose_encoded(self, fv_step_branch(tee), g_ptr_array_index(self->encoded, i));
}

GPtrArray *fv_compose_camera(const FvConfig *config, const FvCameraConfig *camera, int attempt, FvProblems *problems) {
  GPtrArray *chain = fv_chain_new();
  Composition self = {camera, outputs_of(config, camera, FV_FEED_RECORDS), outputs_of(config, camera, FV_FEED_PICTURE),
                      outputs_of(config, camera, FV_FEED_ENCODED), attempt, problems};
  compose_source(chain, camera, self.encoded->len > 0, problems);
  if (self.encoded->len > 0)
    compose_branches(&self, chain);
  else
    compose_decoded(&self, chain);
  g_ptr_array_unref(self.records);
  g_ptr_array_unref(self.pictures);
  g_ptr_array_unref(self.encoded);
  return chain;
}
