/* Typed configuration: what is accepted, what is refused and how, and that parser, schema and reference page agree. */
#include <math.h>

#include "quantity.h"
#include "support.h"

#define HEAD "version: 1\nmodels: {m: {path: m.onnx}}\n"

typedef struct Case {
  const char *name, *text, *expected; /* every problem, one line each */
} Case;

static const Case cases[] = {
  {"a whole file", "version: 1\nmodels: {street: {path: s.onnx, threshold: 0.4, device: 'vulkan:1', threads: 2}}\n"
   "cameras: {gate: {uri: 'rtsp://h/s', username: admin, password: {file: /run/secrets/gate}, transport: tcp, latency: 100, detect: {model: street, fps: 5}, overlay: {scores: no}, outputs: [log]}}\n"
   "outputs: {log: {type: file, path: '/tmp/{camera}.jsonl', append: true}}\n", ""},
  {"outputs called by their type", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {stdout: {}, display: {}, file: {path: x}, video: {path: x.mp4}}\n", ""},
  {"a raw pipeline", "version: 1\npipeline: [{element: videotestsrc, properties: {num-buffers: 3}}, {caps: video/x-raw}, {tee: {a: [{element: fakesink}], b: [{element: fakesink}]}}]\n", ""},
  {"no version", "cameras: {a: {uri: a.mp4}}\n", "t.yaml:1:1: error: the file needs the key 'version'"},
  {"another version", "version: 2\ncameras: {a: {uri: a.mp4}}\n", "t.yaml:1:10: error: version must be 1, not '2'"},
  {"nothing to run", "version: 1\n", "t.yaml:1:1: error: nothing to run: give one or more 'cameras', or a 'pipeline'"},
  {"no camera", "version: 1\ncameras: {}\n", "t.yaml:1:1: error: nothing to run: give one or more 'cameras', or a 'pipeline'"},
  {"no mapping at all", "- 1\n", "t.yaml:1:1: error: the file must be a mapping of keys, not a list"},
  {"a key nearly right", HEAD "cameras: {a: {url: a.mp4}}\n",
   "t.yaml:3:15: error: unknown key 'url' (did you mean 'uri'?)\nt.yaml:3:11: error: camera a needs the key 'uri'"},
  {"a key from nowhere", "version: 1\nmodels: {m: {path: m.onnx, zebra: 1}}\ncameras: {a: {uri: a.mp4}}\n",
   "t.yaml:2:28: error: unknown key 'zebra': here may stand path, config, labels, signature, trusted-keys, device, precision, fallback, threads, threshold, iou-threshold, max-detections"},
  {"keys that come later", HEAD "cameras:\n  a:\n    uri: a.mp4\n    track: {type: x}\n    zones: {}\n    lines: {}\n",
   "t.yaml:6:5: error: track is not available in this version\nt.yaml:7:5: error: zones is not available in this version\nt.yaml:8:5: error: lines is not available in this version"},
  {"outputs to a network", HEAD "cameras: {a: {uri: a.mp4}, b: {uri: b.mp4}}\noutputs:\n"
   "  mqtt: {address: 'mqtts://h:8883', topic: 'f/{camera}', qos: 1, version: 3.1.1, client-id: 'x-{camera}', username: u, password: {file: /run/secrets/gate}, keep-alive: 30s,\n"
   "    tls: {ca: a.pem, cert: c.pem, key: k.pem, verify: true}, spool: {path: /s, bytes: 512M, age: 7d, policy: drop-oldest, sync: record, sync-interval: 500ms, order: newest-first, rate: 1MiB/s},\n"
   "    retry: {min: 500ms, max: 1min}, drain: 5s, content: events, availability-topic: 'f/{camera}/up'}\n"
   "  http: {address: 'https://h/in', token: {env: NAME}, batch: {records: 100, wait: 2s}, spool: /t, include-empty: false, analysed-only: true}\n"
   "  kafka: {address: 'h:9092,i:9092', topic: t, content: both}\n"
   "  clips: {path: '/c/{camera}/%Y.mp4', before: 5s, after: 10s, labels: [person, car], threshold: 0.6, max-duration: 2min, max-bytes: 10GiB, max-age: 30d}\n"
   "  uplink: {sink: 'mpegtsmux ! fakesink', replay-sink: fakesink, spool: {path: '/v/{camera}'}, live-latency: 2s, confirm-after: 1s, labels: person}\n", ""},
  {"keys of a camera's source", HEAD "cameras: {a: {uri: 'rtsp://h/', latency: 100ms, stall-timeout: 5s, retry: {min: 1s, max: 30s}, placeholder: last, decode: {decoder: foveadecode, skip: nonref, loop-filter: off, max-fps: 5}}}\n", ""},
  {"amounts without their unit", HEAD "cameras: {a: {uri: 'rtsp://h/', stall-timeout: 5, retry: {min: 1 hour, max: -1s}}}\noutputs: {http: {address: 'http://h', spool: {path: s, bytes: 1Q, rate: fast, age: '5 d'}}}\n",
   "t.yaml:4:63: error: bytes must be bytes (as 512MiB) from 256KiB to 1024TiB, not '1Q'\nt.yaml:4:73: error: rate must be bytes a second (as 256KiB/s) from 0 to 1024TiB, not 'fast'\n"
   "t.yaml:3:48: error: stall-timeout must be a time with its unit (ms, s, min, h, d) from 500ms to 1h, not '5'\n"
   "t.yaml:3:64: error: min must be a time with its unit (ms, s, min, h, d) from 10ms to 1h, not '1 hour'\n"
   "t.yaml:3:77: error: max must be a time with its unit (ms, s, min, h, d) from 10ms to 1h, not '-1s'"},
  {"limits the wrong way round", HEAD "cameras: {a: {uri: 'rtsp://h/', retry: {min: 2s, max: 1s}}}\n", "t.yaml:3:55: error: max must not be below min"},
  {"keys of another type of output", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {mqtt: {address: 'mqtt://h', topic: t, batch: {records: 1}}, file: {path: x, qos: 1}, display: {path: x}}\n",
   "t.yaml:4:49: error: batch is for outputs of type http\nt.yaml:4:87: error: qos is for outputs of type mqtt\nt.yaml:4:106: error: path is for outputs of type file, video, clips"},
  {"an unknown key tells those of its type", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {display: {zebra: 1}}\n", "t.yaml:4:21: error: unknown key 'zebra': here may stand type"},
  {"an unknown key of a block", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {http: {address: 'http://h', tls: {cert_file: x}, spool: {pth: x}}}\n",
   "t.yaml:4:45: error: unknown key 'cert_file': here may stand ca, cert, key, verify\nt.yaml:4:68: error: unknown key 'pth' (did you mean 'path'?)"},
  {"what a type of output needs", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {mqtt: {}, kafka: {address: h}, clips: {}, uplink: {sink: fakesink}}\n",
   "t.yaml:4:11: error: output 'mqtt' needs the key 'address'\n"
   "t.yaml:4:42: error: output 'clips' needs the key 'path'\nt.yaml:4:53: error: output 'uplink' needs the key 'spool'"},
  {"an address of another kind", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {mqtt: {address: 'broker:8883', topic: t}, http: {address: 'ftp://h'}}\n",
   "t.yaml:4:27: error: address must begin with mqtt:// or mqtts://\nt.yaml:4:69: error: address must begin with http:// or https://"},
  {"a token in the file", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {http: {address: 'http://h', token: sesame}}\n", "t.yaml:4:46: error: token must be {file: PATH}, {env: NAME} or a variable"},
  {"a token from a variable", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {http: {address: 'http://h', token: \"${NAME}\"}}\n", ""},
  {"two connections of one name", HEAD "cameras: {a: {uri: a.mp4}, b: {uri: b.mp4}}\noutputs: {mqtt: {address: 'mqtt://h', topic: t, client-id: x, availability-topic: up}}\n",
   "t.yaml:4:60: error: cameras a and b would use the same client-id: put {camera} into client-id\n"
   "t.yaml:4:83: error: cameras a and b would use the same availability-topic: put {camera} into availability-topic"},
  {"two outputs in one spool", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {mqtt: {address: 'mqtt://h', topic: t, spool: /s}, http: {address: 'http://h', spool: {path: /s}}}\n",
   "t.yaml:4:103: error: outputs mqtt and http would use the same spool"},
  {"numbers out of range", "version: 1\nmodels: {m: {path: p, threshold: 1.5, threads: 99, max-detections: 0}}\ncameras: {a: {uri: a.mp4}}\n",
   "t.yaml:2:34: error: threshold must be a number from 0 to 1, not '1.5'\nt.yaml:2:48: error: threads must be a whole number from 0 to 64, not '99'\n"
   "t.yaml:2:68: error: max-detections must be a whole number from 1 to 4096, not '0'"},
  {"words for numbers", "version: 1\nmodels: {m: {path: p, threshold: nan, threads: 2.5, iou-threshold: '0.5'}}\ncameras: {a: {uri: a.mp4}}\n",
   "t.yaml:2:34: error: threshold must be a number from 0 to 1, not 'nan'\nt.yaml:2:48: error: threads must be a whole number from 0 to 64, not '2.5'\n"
   "t.yaml:2:68: error: iou-threshold must be a number from 0 to 1, not '0.5'"},
  {"a device that is none", "version: 1\nmodels: {m: {path: p, device: cuda}}\ncameras: {a: {uri: a.mp4}}\n",
   "t.yaml:2:31: error: device must be auto, cpu, vulkan, vulkan:N or vulkan:NAME, not 'cuda'"},
  {"a model that is not there", HEAD "cameras: {a: {uri: a.mp4, detect: {model: n}}}\n", "t.yaml:3:43: error: there is no model 'n' (did you mean 'm'?)"},
  {"a choice nearly right", HEAD "cameras: {a: {uri: a.mp4, detect: {model: m, policy: keep-al}}}\n",
   "t.yaml:3:54: error: policy must be one of auto, keep-all, keep-newest, not 'keep-al' (did you mean 'keep-all'?)"},
  {"an output that is not there", HEAD "cameras: {a: {uri: a.mp4, outputs: [lgo]}}\noutputs: {log: {type: stdout}}\n",
   "t.yaml:3:37: error: there is no output 'lgo' (did you mean 'log'?)"},
  {"an output without a path", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {log: {type: file}}\n", "t.yaml:4:11: error: output 'log' needs the key 'path'"},
  {"an output without a type", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {log: {path: x}}\n",
   "t.yaml:4:11: error: output 'log' needs the key 'type': file, stdout, video, display, mqtt, http, kafka, clips or uplink"},
  {"two cameras in one file", HEAD "cameras: {a: {uri: a.mp4}, b: {uri: b.mp4}}\noutputs: {file: {path: x.jsonl}}\n",
   "t.yaml:4:24: error: cameras a and b would write the same file: put {camera} into path"},
  {"two outputs in one file", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {a: {type: file, path: x}, b: {type: file, path: x}}\n",
   "t.yaml:4:59: error: outputs a and b would write the same file"},
  {"another placeholder", HEAD "cameras: {a: {uri: a.mp4}}\noutputs: {file: {path: 'x/{date}.jsonl'}}\n",
   "t.yaml:4:24: error: '{date}' in path: {camera} is the only placeholder"},
  {"a scheme that is none", HEAD "cameras: {a: {uri: 'rstp://h/'}}\n",
   "t.yaml:3:20: error: uri must be a path or begin with file, rtsp, rtsps, http, https, v4l2, srt, rtmp or rtmps and :// (did you mean 'rtsp'?)"},
  {"keys for another kind of source", HEAD "cameras: {a: {uri: a.mp4, latency: 5, width: 640}}\n",
   "t.yaml:3:27: error: latency is for rtsp:// and srt:// cameras\nt.yaml:3:39: error: width is for v4l2:// cameras"},
  {"a name that is a path", HEAD "cameras: {../../etc: {uri: a.mp4}}\n",
   "t.yaml:3:11: error: the name of a camera is 1 to 64 letters, digits, '_' and '-', not '../../etc'"},
  {"a missing secret", HEAD "cameras: {a: {uri: {file: /nope}}}\n", "t.yaml:3:27: error: cannot open '/nope'"},
  {"a secret of another form", HEAD "cameras: {a: {uri: {vault: X}}}\n", "t.yaml:3:20: error: uri must be a text, {file: PATH} or {env: NAME}"},
  {"a secret from a variable that is not there", HEAD "cameras: {a: {uri: {env: NOPE}}}\n", "t.yaml:3:26: error: variable NOPE is not set"},
  {"a secret where none is taken", HEAD "cameras: {a: {uri: a.mp4, detect: {model: {file: /run/secrets/gate}}}}\n",
   "t.yaml:3:43: error: model must be a single value, not a mapping of keys"},
  {"a text from the environment is not repeated", "version: 1\nmodels: {m: {path: p, threshold: \"${NAME}\"}}\ncameras: {a: {uri: a.mp4}}\n",
   "t.yaml:2:34: error: threshold must be a number from 0 to 1, not '…'"},
  {"a missing variable is one problem", "version: 1\nmodels: {m: {path: p, threads: \"${NOPE}\"}}\ncameras: {a: {uri: a.mp4}}\n",
   "t.yaml:2:33: error: variable NOPE is not set (set it, or write ${NOPE:-default})"},
  {"a step of two minds", "version: 1\npipeline: [{element: a, caps: b}]\n", "t.yaml:2:12: error: a step needs exactly one of element, caps and tee"},
  {"a step behind a tee", "version: 1\npipeline: [{tee: {a: [{element: x}]}}, {element: y}]\n", "t.yaml:2:40: error: nothing may follow a tee: put it into a branch"},
  {"an empty pipeline", "version: 1\npipeline: []\n", "t.yaml:2:11: error: pipeline has no elements"},
  {"several at once", "version: 1\nmodles: {}\ncameras: {a: {uri: a.mp4, overlay: maybe}}\n",
   "t.yaml:2:1: error: unknown key 'modles' (did you mean 'models'?)\nt.yaml:3:36: error: overlay must be true or false, not 'maybe'"},
};

static void check_case(gconstpointer data) {
  const Case *one = data;
  char *problems = test_problems(one->text);
  g_assert_cmpstr(problems, ==, one->expected);
  g_free(problems);
}

static FvConfig *parse(const char *text) {
  FvProblems problems;
  fv_problems_init(&problems, "t.yaml");
  FvConfig *config = fv_config_parse(text, strlen(text), &test_sources, &problems);
  g_assert_cmpuint(problems.items->len, ==, 0);
  fv_problems_finish(&problems);
  return config;
}

static void check_values(void) {
  FvConfig *config = parse(cases[0].text);
  const FvCameraConfig *camera = g_ptr_array_index(config->cameras, 0);
  g_assert_cmpstr(camera->name, ==, "gate");
  g_assert_cmpstr(camera->model->name, ==, "street");
  g_assert_cmpfloat(fabs(camera->model->threshold.number - 0.4), <, 1e-9);
  g_assert_cmpstr(camera->password.text, ==, "open sesame");
  g_assert_true(camera->password.secret);
  g_assert_cmpstr(camera->password.reference, ==, "file:/run/secrets/gate");
  g_assert_false(camera->username.secret);
  g_assert_cmpint(fv_pipeline_value_choice(&camera->transport, 0), ==, 1);
  g_assert_cmpint(fv_pipeline_value_choice(&camera->restart, FV_RESTART_AUTO), ==, FV_RESTART_AUTO);
  g_assert_true(fv_config_camera_uses(camera, g_ptr_array_index(config->outputs, 0)));
  fv_config_unref(config);
}

static void check_quantities(void) {
  static const struct { const char *text; double ms; } durations[] = {{"0", 0}, {"500ms", 500}, {"1.5s", 1500}, {"2 min", 120e3}, {"12h", 43200e3}, {"7d", 604800e3},
    {"", -1}, {"5", -1}, {"s", -1}, {"-1s", -1}, {"1s2", -1}, {"1..5s", -1}, {"nan", -1}, {"0x10s", -1}, {"1e3s", -1}, {" 1s", -1}};
  static const struct { const char *text; double bytes; } sizes[] = {{"0", 0}, {"17", 17}, {"512M", 536870912}, {"512MiB", 536870912}, {"512MB", 512e6}, {"1.5 GiB", 1610612736},
    {"2T", 2199023255552}, {"1k", 1024}, {"1kB", 1000}, {"3B", 3}, {"1/s", -1}, {"1X", -1}, {"M", -1}, {"-1", -1}};
  double value;
  for (guint i = 0; i < G_N_ELEMENTS(durations); i++) {
    g_assert_cmpint(fv_parse_duration(durations[i].text, NULL, &value), ==, durations[i].ms >= 0);
    if (durations[i].ms >= 0) g_assert_cmpfloat(value, ==, durations[i].ms);
  }
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_assert_cmpint(fv_parse_bytes(sizes[i].text, &value), ==, sizes[i].bytes >= 0);
    if (sizes[i].bytes >= 0) g_assert_cmpfloat(value, ==, sizes[i].bytes);
  }
  g_assert_true(fv_parse_duration("250", "ms", &value) && value == 250);
  g_assert_true(fv_parse_rate("2MB/s", &value) && value == 2e6);
  g_assert_true(fv_parse_rate("2MB", &value) && value == 2e6);
  g_assert_false(fv_parse_rate("/s", &value));
}

static void check_too_big(void) {
  gsize length = ((gsize)4 << 20) + 1;
  char *text = g_malloc(length + 1);
  memset(text, ' ', length);
  text[length] = '\0';
  char *problems = test_problems(text);
  g_assert_cmpstr(problems, ==, "t.yaml: error: more than 4194304 bytes");
  g_free(problems);
  g_free(text);
}

static void check_many_cameras(void) {
  GString *text = g_string_new("version: 1\ncameras:\n");
  for (int i = 0; i <= FV_MAX_CAMERAS; i++) g_string_append_printf(text, "  c%d: {uri: a.mp4}\n", i);
  char *problems = test_problems(text->str);
  g_assert_cmpstr(problems, ==, "t.yaml:2:1: error: more than 256 entries in cameras");
  g_free(problems);
  g_string_free(text, TRUE);
}

/* --- Schema and reference page ----------------------------------------------------------------------------------- */

static char *read_source(const char *path, gsize *length) {
  char *full = g_build_filename(g_getenv("FOVEA_SOURCE_DIR"), path, NULL), *error = NULL;
  char *text = fv_read_bounded(full, 1 << 20, length, &error);
  g_assert_cmpstr(error, ==, NULL);
  g_free(full);
  return text;
}

static const FvYamlNode *section_properties(const FvYamlNode *schema, const char *name) {
  if (!g_str_equal(name, "document")) schema = fv_yaml_find(fv_yaml_find(schema, "$defs"), name);
  g_assert_nonnull(schema);
  g_assert_cmpstr(fv_yaml_find(schema, "additionalProperties")->text, ==, "false");
  return fv_yaml_find(schema, "properties");
}

static gboolean requires(const FvYamlNode *schema, const char *section, const char *key) {
  if (!g_str_equal(section, "document")) schema = fv_yaml_find(fv_yaml_find(schema, "$defs"), section);
  const FvYamlNode *list = fv_yaml_find(schema, "required");
  for (const FvYamlNode *item = list != NULL ? list->first : NULL; item != NULL; item = item->next)
    if (g_str_equal(item->text, key)) return TRUE;
  return FALSE;
}

/* Limits and choices of a single value; sections and lists stand under $defs. */
static void compare_key(const FvKey *key, const FvYamlNode *entry) {
  static const char *const types[] = {[FV_KEY_TEXT] = "string", [FV_KEY_INTEGER] = "integer", [FV_KEY_NUMBER] = "number",
                                      [FV_KEY_SWITCH] = "boolean", [FV_KEY_CHOICE] = "string"};
  static const char *const definitions[] = {[FV_KEY_TEXTS] = "texts", [FV_KEY_DURATION] = "duration", [FV_KEY_BYTES] = "bytes", [FV_KEY_RATE] = "rate"};
  if (key->type == FV_KEY_BLOCK) return;
  if (key->type == FV_KEY_SECRET || (key->section != NULL && key->section->short_form)) {
    g_assert_nonnull(fv_yaml_find(entry, "anyOf"));
    return;
  }
  const char *word = key->section != NULL ? key->section->name : key->plain_unit != NULL ? "milliseconds" : key->type < FV_KEY_SWITCH ? definitions[key->type] : NULL;
  if (word != NULL) {
    char *reference = g_strconcat("#/$defs/", word, NULL);
    g_assert_cmpstr(fv_yaml_find(entry, "$ref")->text, ==, reference);
    g_free(reference);
    return;
  }
  g_assert_cmpstr(fv_yaml_find(entry, "type")->text, ==, types[key->type]);
  if (key->type == FV_KEY_INTEGER || key->type == FV_KEY_NUMBER) {
    g_assert_cmpfloat(g_ascii_strtod(fv_yaml_find(entry, "minimum")->text, NULL), ==, key->min);
    g_assert_cmpfloat(g_ascii_strtod(fv_yaml_find(entry, "maximum")->text, NULL), ==, key->max);
  }
  if (key->type != FV_KEY_CHOICE) return;
  const FvYamlNode *value = fv_yaml_find(entry, "enum")->first;
  for (const char *const *choice = key->choices; *choice != NULL; choice++, value = value->next) {
    g_assert_nonnull(value);
    g_assert_cmpstr(value->text, ==, *choice);
  }
  g_assert_null(value);
}

static void check_schema(void) {
  gsize length = 0;
  char *text = read_source("configs/pipeline.schema.json", &length); /* JSON is YAML */
  FvProblems problems;
  fv_problems_init(&problems, "pipeline.schema.json");
  FvYaml *yaml = fv_yaml_parse(text, length, NULL, NULL, &problems);
  g_assert_nonnull(yaml);
  const FvSection *sections = fv_config_sections;
  for (int i = 0; i < FV_SECTION_COUNT; i++) {
    const FvYamlNode *entries = section_properties(fv_yaml_root(yaml), sections[i].name);
    g_test_message("section %s", sections[i].name);
    g_assert_cmpint(entries->count, ==, sections[i].key_count);
    for (int j = 0; j < sections[i].key_count; j++) {
      const FvKey *key = &sections[i].keys[j];
      g_test_message("key %s", key->name);
      const FvYamlNode *entry = fv_yaml_find(entries, key->name);
      g_assert_nonnull(entry);
      g_assert_cmpint(requires(fv_yaml_root(yaml), sections[i].name, key->name), ==, key->required);
      compare_key(key, entry);
    }
  }
  fv_yaml_free(yaml);
  fv_problems_finish(&problems);
  g_free(text);
}

static void check_reference_page(void) {
  gsize length = 0;
  char *text = read_source("docs/pipelines.md", &length);
  const FvSection *sections = fv_config_sections;
  for (int i = 0; i < FV_SECTION_COUNT; i++)
    for (int j = 0; j < sections[i].key_count; j++) {
      char *word = g_strdup_printf("| `%s` |", sections[i].keys[j].name);
      if (strstr(text, word) == NULL) g_error("docs/pipelines.md has no row for %s of %s", sections[i].keys[j].name, sections[i].name);
      g_free(word);
    }
  g_free(text);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    char *path = g_strdup_printf("/config/%s", cases[i].name);
    g_test_add_data_func(path, &cases[i], check_case);
    g_free(path);
  }
  g_test_add_func("/config/values arrive", check_values);
  g_test_add_func("/config/amounts and their units", check_quantities);
  g_test_add_func("/config/a big file is refused", check_too_big);
  g_test_add_func("/config/many cameras are refused", check_many_cameras);
  g_test_add_func("/config/the schema has the parser's keys", check_schema);
  g_test_add_func("/config/the reference page has the parser's keys", check_reference_page);
  return g_test_run();
}
