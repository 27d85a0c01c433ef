/* What may stand in a pipeline file. */
#include "config.h"

#include <stddef.h>

#include <fovea/limits.h>

#define CHOICES(...) (const char *const[]) { __VA_ARGS__, NULL }
#define DOCUMENT(key) offsetof(FvConfig, key)
#define MODEL(key) offsetof(FvPipelineModel, key)
#define CAMERA(key) offsetof(FvCameraConfig, key)
#define DECODE(key) offsetof(FvDecodeConfig, key)
#define DETECT(key) offsetof(FvDetectConfig, key)
#define OVERLAY(key) offsetof(FvOverlayConfig, key)
#define RETRY(key) offsetof(FvRetryConfig, key)
#define OUTPUT(key) offsetof(FvOutputConfig, key)
#define ROTATE(key) offsetof(FvRotateConfig, key)
#define TLS(key) offsetof(FvTlsConfig, key)
#define BATCH(key) offsetof(FvBatchConfig, key)
#define SPOOL(key) offsetof(FvSpoolConfig, key)

#define SECONDS 1e3
#define HOURS 3600e3
#define DAYS 86400e3
#define KIB 1024.0
#define TIB 1099511627776.0

static const FvKey document_keys[] = {
  {"version", FV_KEY_INTEGER, DOCUMENT(version), true, FV_CONFIG_VERSION, FV_CONFIG_VERSION},
  {"models", FV_KEY_BLOCK},
  {"cameras", FV_KEY_BLOCK},
  {"outputs", FV_KEY_BLOCK},
  {"pipeline", FV_KEY_BLOCK},
};
static const FvKey model_keys[] = {
  {"path", FV_KEY_TEXT, MODEL(path)},
  {"config", FV_KEY_TEXT, MODEL(config)},
  {"labels", FV_KEY_TEXT, MODEL(labels)},
  {"signature", FV_KEY_CHOICE, MODEL(signature), false, 0, 0, CHOICES("off", "warn", "require")},
  {"trusted-keys", FV_KEY_TEXT, MODEL(trusted_keys)},
  {"device", FV_KEY_TEXT, MODEL(device)},
  {"precision", FV_KEY_CHOICE, MODEL(precision), false, 0, 0, CHOICES("auto", "fp32", "fp16", "fp16-arithmetic")},
  {"fallback", FV_KEY_CHOICE, MODEL(fallback), false, 0, 0, CHOICES("cpu", "none")},
  {"threads", FV_KEY_INTEGER, MODEL(threads), false, 0, FV_MAX_THREADS},
  {"threshold", FV_KEY_NUMBER, MODEL(threshold), false, 0, 1},
  {"iou-threshold", FV_KEY_NUMBER, MODEL(iou_threshold), false, 0, 1},
  {"max-detections", FV_KEY_INTEGER, MODEL(max_detections), false, 1, FV_MAX_DETECTIONS},
};
static const FvKey camera_keys[] = {
  {"uri", FV_KEY_SECRET, CAMERA(uri), true},
  {"username", FV_KEY_SECRET, CAMERA(username)},
  {"password", FV_KEY_SECRET, CAMERA(password)},
  {"transport", FV_KEY_CHOICE, CAMERA(transport), false, 0, 0, CHOICES("auto", "tcp", "udp")},
  {"latency", FV_KEY_DURATION, CAMERA(latency), false, 0, 60 * SECONDS, .plain_unit = "ms"},
  {"stall-timeout", FV_KEY_DURATION, CAMERA(stall_timeout), false, 0.5 * SECONDS, HOURS},
  {"retry", FV_KEY_SECTION, CAMERA(retry), .section = &fv_config_sections[FV_SECTION_RETRY]},
  {"restart", FV_KEY_CHOICE, CAMERA(restart), false, 0, 0, CHOICES("auto", "always", "on-error", "never")},
  {"placeholder", FV_KEY_CHOICE, CAMERA(placeholder), false, 0, 0, CHOICES("none", "last", "grey")},
  {"decode", FV_KEY_SECTION, CAMERA(decode), .section = &fv_config_sections[FV_SECTION_DECODE]},
  {"width", FV_KEY_INTEGER, CAMERA(width), false, 1, FV_MAX_FRAME_SIDE},
  {"height", FV_KEY_INTEGER, CAMERA(height), false, 1, FV_MAX_FRAME_SIDE},
  {"detect", FV_KEY_SECTION, CAMERA(detect), .section = &fv_config_sections[FV_SECTION_DETECT]},
  {"overlay", FV_KEY_BLOCK},
  {"outputs", FV_KEY_BLOCK},
};
static const FvKey decode_keys[] = {
  {"decoder", FV_KEY_CHOICE, DECODE(decoder), false, 0, 0, CHOICES("auto", "foveadecode", "decodebin")},
  {"skip", FV_KEY_CHOICE, DECODE(skip), false, 0, 0, CHOICES("none", "nonref", "nokey")},
  {"loop-filter", FV_KEY_CHOICE, DECODE(loop_filter), false, 0, 0, CHOICES("on", "nonref", "off")},
  {"max-fps", FV_KEY_INTEGER, DECODE(max_fps), false, 1, 1000},
};
static const FvKey detect_keys[] = {
  {"model", FV_KEY_TEXT, DETECT(model)},
  {"fps", FV_KEY_INTEGER, DETECT(fps), false, 1, 1000},
  {"interval", FV_KEY_INTEGER, DETECT(interval), false, 1, 1000},
  {"policy", FV_KEY_CHOICE, DETECT(policy), false, 0, 0, CHOICES("auto", "keep-all", "keep-newest")},
  {"meta", FV_KEY_CHOICE, DETECT(meta), false, 0, 0, CHOICES("auto", "analytics", "roi", "both")},
};
static const FvKey overlay_keys[] = {
  {"line-width", FV_KEY_INTEGER, OVERLAY(line_width), false, 0, 32},
  {"font-size", FV_KEY_INTEGER, OVERLAY(font_size), false, 0, 200},
  {"labels", FV_KEY_SWITCH, OVERLAY(labels)},
  {"scores", FV_KEY_SWITCH, OVERLAY(scores)},
};
static const FvKey retry_keys[] = {
  {"min", FV_KEY_DURATION, RETRY(min), false, 10, HOURS},
  {"max", FV_KEY_DURATION, RETRY(max), false, 10, HOURS},
};

#define ONLY(type) (1u << FV_OUTPUT_##type)
#define NETWORK (ONLY(MQTT) | ONLY(HTTP) | ONLY(KAFKA))
#define RECORDS (NETWORK | ONLY(FILE) | ONLY(STDOUT))
#define ENCODED (ONLY(CLIPS) | ONLY(UPLINK))
static const FvKey output_keys[] = {
  {"type", FV_KEY_CHOICE, OUTPUT(type), false, 0, 0, CHOICES("file", "stdout", "video", "display", "mqtt", "http", "kafka", "clips", "uplink")},
  {"path", FV_KEY_TEXT, OUTPUT(path), .only = ONLY(FILE) | ONLY(VIDEO) | ONLY(CLIPS)},
  {"append", FV_KEY_SWITCH, OUTPUT(append), .only = ONLY(FILE)},
  {"rotate", FV_KEY_SECTION, OUTPUT(rotate), .section = &fv_config_sections[FV_SECTION_ROTATE], .only = ONLY(FILE)},
  {"content", FV_KEY_CHOICE, OUTPUT(content), false, 0, 0, CHOICES("frames", "events", "both"), .only = RECORDS},
  {"include-empty", FV_KEY_SWITCH, OUTPUT(include_empty), .only = RECORDS},
  {"analysed-only", FV_KEY_SWITCH, OUTPUT(analysed_only), .only = RECORDS},
  {"event-interval", FV_KEY_DURATION, OUTPUT(event_interval), false, 0, HOURS, .only = RECORDS},
  {"event-timeout", FV_KEY_DURATION, OUTPUT(event_timeout), false, 1, HOURS, .only = RECORDS},
  {"codec", FV_KEY_CHOICE, OUTPUT(codec), false, 0, 0, CHOICES("auto", "h264", "vp8", "vp9"), .only = ONLY(VIDEO)},
  {"bitrate", FV_KEY_INTEGER, OUTPUT(bitrate), false, 16, 200000, .only = ONLY(VIDEO)},
  {"address", FV_KEY_SECRET, OUTPUT(address), .only = NETWORK},
  {"topic", FV_KEY_TEXT, OUTPUT(topic), .only = ONLY(MQTT) | ONLY(KAFKA)},
  {"qos", FV_KEY_INTEGER, OUTPUT(qos), false, 0, 2, .only = ONLY(MQTT)},
  {"version", FV_KEY_CHOICE, OUTPUT(version), false, 0, 0, CHOICES("5", "3.1.1"), .only = ONLY(MQTT)},
  {"client-id", FV_KEY_TEXT, OUTPUT(client_id), .only = ONLY(MQTT) | ONLY(KAFKA)},
  {"availability-topic", FV_KEY_TEXT, OUTPUT(availability_topic), .only = ONLY(MQTT)},
  {"keep-alive", FV_KEY_DURATION, OUTPUT(keep_alive), false, 5 * SECONDS, HOURS, .only = ONLY(MQTT)},
  {"username", FV_KEY_SECRET, OUTPUT(username), .only = NETWORK},
  {"password", FV_KEY_SECRET, OUTPUT(password), .only = NETWORK},
  {"token", FV_KEY_SECRET, OUTPUT(token), .only = ONLY(HTTP)},
  {"tls", FV_KEY_SECTION, OUTPUT(tls), .section = &fv_config_sections[FV_SECTION_TLS], .only = NETWORK},
  {"batch", FV_KEY_SECTION, OUTPUT(batch), .section = &fv_config_sections[FV_SECTION_BATCH], .only = ONLY(HTTP)},
  {"spool", FV_KEY_SECTION, OUTPUT(spool), .section = &fv_config_sections[FV_SECTION_SPOOL], .only = NETWORK | ONLY(UPLINK)},
  {"retry", FV_KEY_SECTION, OUTPUT(retry), .section = &fv_config_sections[FV_SECTION_RETRY], .only = NETWORK | ONLY(UPLINK)},
  {"drain", FV_KEY_DURATION, OUTPUT(drain), false, 0, HOURS, .only = NETWORK | ONLY(UPLINK)},
  {"sink", FV_KEY_SECRET, OUTPUT(sink), .only = ONLY(UPLINK)},
  {"replay-sink", FV_KEY_SECRET, OUTPUT(replay_sink), .only = ONLY(UPLINK)},
  {"live-latency", FV_KEY_DURATION, OUTPUT(live_latency), false, 0, HOURS, .only = ONLY(UPLINK)},
  {"confirm-after", FV_KEY_DURATION, OUTPUT(confirm_after), false, 0, HOURS, .only = ONLY(UPLINK)},
  {"labels", FV_KEY_TEXTS, OUTPUT(labels), .only = ENCODED},
  {"threshold", FV_KEY_NUMBER, OUTPUT(threshold), false, 0, 1, .only = ENCODED},
  {"before", FV_KEY_DURATION, OUTPUT(before), false, 0, 10 * 60 * SECONDS, .only = ONLY(CLIPS)},
  {"after", FV_KEY_DURATION, OUTPUT(after), false, 0, 10 * 60 * SECONDS, .only = ONLY(CLIPS)},
  {"max-duration", FV_KEY_DURATION, OUTPUT(max_duration), false, SECONDS, DAYS, .only = ONLY(CLIPS)},
  {"max-bytes", FV_KEY_BYTES, OUTPUT(max_bytes), false, 0, 1024 * TIB, .only = ONLY(CLIPS)},
  {"max-age", FV_KEY_DURATION, OUTPUT(max_age), false, 0, 3650 * DAYS, .only = ONLY(CLIPS)},
};
static const FvKey rotate_keys[] = {
  {"bytes", FV_KEY_BYTES, ROTATE(bytes), true, 4 * KIB, TIB},
  {"keep", FV_KEY_INTEGER, ROTATE(keep), false, 0, 1000},
};
static const FvKey tls_keys[] = {
  {"ca", FV_KEY_TEXT, TLS(ca)},
  {"cert", FV_KEY_TEXT, TLS(cert)},
  {"key", FV_KEY_TEXT, TLS(key)},
  {"verify", FV_KEY_SWITCH, TLS(verify)},
};
static const FvKey batch_keys[] = {
  {"records", FV_KEY_INTEGER, BATCH(records), false, 1, 10000},
  {"wait", FV_KEY_DURATION, BATCH(wait), false, 0, 60 * SECONDS},
};
static const FvKey spool_keys[] = {
  {"path", FV_KEY_TEXT, SPOOL(path)},
  {"bytes", FV_KEY_BYTES, SPOOL(bytes), false, 256 * KIB, 1024 * TIB},
  {"age", FV_KEY_DURATION, SPOOL(age), false, 0, 3650 * DAYS},
  {"policy", FV_KEY_CHOICE, SPOOL(policy), false, 0, 0, CHOICES("drop-oldest", "drop-lowest-priority", "refuse-new")},
  {"sync", FV_KEY_CHOICE, SPOOL(sync), false, 0, 0, CHOICES("interval", "record", "segment")},
  {"sync-interval", FV_KEY_DURATION, SPOOL(sync_interval), false, 1, HOURS},
  {"order", FV_KEY_CHOICE, SPOOL(order), false, 0, 0, CHOICES("oldest-first", "newest-first")},
  {"rate", FV_KEY_RATE, SPOOL(rate), false, 0, 1024 * TIB},
};
static const FvKey step_keys[] = {
  {"element", FV_KEY_BLOCK}, {"name", FV_KEY_BLOCK}, {"properties", FV_KEY_BLOCK}, {"caps", FV_KEY_BLOCK}, {"tee", FV_KEY_BLOCK},
};

#define SECTION(name, keys, ...) {name, keys, G_N_ELEMENTS(keys), __VA_ARGS__}
const FvSection fv_config_sections[FV_SECTION_COUNT] = {
  [FV_SECTION_DOCUMENT] = SECTION("document", document_keys, NULL),
  [FV_SECTION_MODEL] = SECTION("model", model_keys, CHOICES("key")),
  [FV_SECTION_CAMERA] = SECTION("camera", camera_keys, CHOICES("track", "zones", "lines", "classify")),
  [FV_SECTION_DECODE] = SECTION("decode", decode_keys, NULL),
  [FV_SECTION_DETECT] = SECTION("detect", detect_keys, NULL),
  [FV_SECTION_OVERLAY] = SECTION("overlay", overlay_keys, NULL),
  [FV_SECTION_RETRY] = SECTION("retry", retry_keys, NULL),
  [FV_SECTION_OUTPUT] = SECTION("output", output_keys, NULL),
  [FV_SECTION_ROTATE] = SECTION("rotate", rotate_keys, NULL),
  [FV_SECTION_TLS] = SECTION("tls", tls_keys, NULL),
  [FV_SECTION_BATCH] = SECTION("batch", batch_keys, NULL),
  [FV_SECTION_SPOOL] = SECTION("spool", spool_keys, NULL, .short_form = true),
  [FV_SECTION_STEP] = SECTION("step", step_keys, NULL),
};
