#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

struct FvYaml {
  GPtrArray *nodes; /* owns every node */
  GStringChunk *strings;
  FvYamlNode *root;
};

typedef struct Loader {
  yaml_parser_t parser;
  FvYaml *yaml;
  FvEnvFn env;
  void *user;
  FvProblems *problems;
} Loader;

static FvPlace place_of(yaml_mark_t mark) { return (FvPlace){(int)mark.line + 1, (int)mark.column + 1}; }

static bool next_event(Loader *loader, yaml_event_t *event) {
  if (yaml_parser_parse(&loader->parser, event)) return true;
  const yaml_parser_t *parser = &loader->parser;
  const char *what = parser->problem != NULL ? parser->problem : "not valid YAML";
  bool encoding = parser->error == YAML_READER_ERROR;
  fv_problems_add(loader->problems, encoding ? (FvPlace){0, 0} : place_of(parser->problem_mark), "%s%s%s", what,
                  parser->context != NULL ? ", " : "", parser->context != NULL ? parser->context : "");
  return false;
}

static FvYamlNode *node_new(Loader *loader, FvYamlKind kind, FvPlace place) {
  if (loader->yaml->nodes->len >= FV_YAML_MAX_NODES) {
    fv_problems_add(loader->problems, place, "more than %d values in one file", FV_YAML_MAX_NODES);
    return NULL;
  }
  FvYamlNode *node = g_new0(FvYamlNode, 1);
  node->kind = kind;
  node->place = place;
  g_ptr_array_add(loader->yaml->nodes, node);
  return node;
}

static bool is_variable_name(const char *name, size_t length) {
  if (length == 0 || g_ascii_isdigit(name[0])) return false;
  for (size_t i = 0; i < length; i++)
    if (!g_ascii_isalnum(name[i]) && name[i] != '_') return false;
  return true;
}

/* Appends the value of the variable that starts at text ("${…"); returns what follows it, or NULL after a problem. */
static const char *append_variable(Loader *loader, GString *result, const char *text, FvPlace place) {
  const char *name = text + 2, *end = strchr(name, '}');
  if (end == NULL) {
    fv_problems_add(loader->problems, place, "'${' without '}' (write $${ for the characters themselves)");
    return NULL;
  }
  const char *fallback = g_strstr_len(name, end - name, ":-");
  size_t length = (size_t)((fallback != NULL ? fallback : end) - name);
  if (!is_variable_name(name, length)) {
    fv_problems_add(loader->problems, place, "'%.*s' is not a name of a variable", (int)MIN(length, 64), name);
    return NULL;
  }
  char *key = g_strndup(name, length);
  const char *value = loader->env(key, loader->user);
  if (value != NULL && (*value != '\0' || fallback == NULL) && g_utf8_validate(value, -1, NULL)) {
    g_string_append(result, value);
  } else if (fallback != NULL) {
    g_string_append_len(result, fallback + 2, end - fallback - 2);
  } else {
    fv_problems_add(loader->problems, place,
                    value == NULL ? "variable %s is not set (set it, or write ${%s:-default})"
                                  : "variable %s is not valid UTF-8 (set it, or write ${%s:-default})",
                    key, key);
    end = NULL;
  }
  g_free(key);
  return end != NULL ? end + 1 : NULL;
}

/* The name where raw is nothing but one variable, and that is set. */
static const char *sole_variable(Loader *loader, const char *raw) {
  const char *end = strchr(raw, '}');
  if (!g_str_has_prefix(raw, "${") || end == NULL || end[1] != '\0') return NULL;
  const char *name = g_string_chunk_insert_len(loader->yaml->strings, raw + 2, (gssize)strcspn(raw + 2, ":}"));
  const char *value = loader->env(name, loader->user);
  return value != NULL && *value != '\0' ? name : NULL;
}

static void replace_variables(Loader *loader, FvYamlNode *node, const char *raw, bool one_line) {
  GString *result = g_string_new(NULL);
  const char *at = raw;
  while (at != NULL && *at != '\0' && result->len <= FV_YAML_MAX_TEXT) {
    FvPlace place = node->place;
    if (one_line) place.column += (int)g_utf8_pointer_to_offset(raw, at) + node->quoted;
    if (g_str_has_prefix(at, "$${")) {
      g_string_append(result, "${");
      at += 3;
    } else if (g_str_has_prefix(at, "${")) {
      node->replaced = true;
      at = append_variable(loader, result, at, place);
    } else {
      g_string_append_c(result, *at++);
    }
  }
  bool ok = at != NULL;
  if (ok && result->len > FV_YAML_MAX_TEXT) {
    fv_problems_add(loader->problems, node->place, "text of more than %d bytes", FV_YAML_MAX_TEXT);
    ok = false;
  }
  if (ok && node->replaced) node->variable = sole_variable(loader, raw);
  /* The tree stays usable after a missing variable, so that the rest of the file is checked too. */
  node->text = g_string_chunk_insert_len(loader->yaml->strings, result->str, (gssize)MIN(result->len, FV_YAML_MAX_TEXT));
  g_string_free(result, TRUE);
  node->broken = !ok;
}

static FvYamlNode *scalar_node(Loader *loader, const yaml_event_t *event) {
  FvYamlNode *node = node_new(loader, FV_YAML_SCALAR, place_of(event->start_mark));
  if (node == NULL) return NULL;
  const char *raw = (const char *)event->data.scalar.value;
  size_t length = event->data.scalar.length;
  node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  node->text = "";
  if (strlen(raw) != length) {
    fv_problems_add(loader->problems, node->place, "text with a NUL character in it");
  } else if (length > FV_YAML_MAX_TEXT) {
    fv_problems_add(loader->problems, node->place, "text of more than %d bytes", FV_YAML_MAX_TEXT);
  } else if (loader->env == NULL) {
    node->text = g_string_chunk_insert_len(loader->yaml->strings, raw, (gssize)length);
  } else {
    replace_variables(loader, node, raw, event->start_mark.line == event->end_mark.line);
  }
  return node;
}

static FvYamlNode *load_node(Loader *loader, yaml_event_t *event, int depth);

static void append_child(FvYamlNode *parent, FvYamlNode **last, FvYamlNode *child) {
  if (*last == NULL)
    parent->first = child;
  else
    (*last)->next = child;
  *last = child;
  parent->count++;
}

static bool load_sequence(Loader *loader, FvYamlNode *parent, int depth) {
  FvYamlNode *last = NULL;
  for (;;) {
    yaml_event_t event;
    if (!next_event(loader, &event)) return false;
    if (event.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&event);
      return true;
    }
    FvYamlNode *child = load_node(loader, &event, depth);
    if (child == NULL) return false;
    append_child(parent, &last, child);
  }
}

/* Takes a key event; returns its text in the tree's storage, or NULL after a problem. */
static const char *take_key(Loader *loader, yaml_event_t *event, GHashTable *seen, FvPlace *place) {
  const char *key = NULL;
  *place = place_of(event->start_mark);
  if (event->type != YAML_SCALAR_EVENT) {
    fv_problems_add(loader->problems, *place, "a key must be a plain word");
  } else if (event->data.scalar.length > 255 || strlen((char *)event->data.scalar.value) != event->data.scalar.length) {
    fv_problems_add(loader->problems, *place, "a key of more than 255 bytes, or with a NUL character in it");
  } else {
    key = g_string_chunk_insert_const(loader->yaml->strings, (char *)event->data.scalar.value);
    const FvPlace *first = g_hash_table_lookup(seen, key);
    if (first != NULL) {
      fv_problems_add(loader->problems, *place, "key '%s' is given twice, first in line %d", key, first->line);
    } else {
      g_hash_table_insert(seen, (char *)key, g_memdup2(place, sizeof *place));
    }
  }
  yaml_event_delete(event);
  return key;
}

static bool load_mapping(Loader *loader, FvYamlNode *parent, int depth) {
  GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
  FvYamlNode *last = NULL;
  bool ok = false;
  for (;;) {
    yaml_event_t event;
    if (!next_event(loader, &event)) break;
    if (event.type == YAML_MAPPING_END_EVENT) {
      yaml_event_delete(&event);
      ok = true;
      break;
    }
    FvPlace place;
    const char *key = take_key(loader, &event, seen, &place);
    if (key == NULL || !next_event(loader, &event)) break;
    FvYamlNode *child = load_node(loader, &event, depth);
    if (child == NULL) break;
    child->key = key;
    child->key_place = place;
    append_child(parent, &last, child);
  }
  g_hash_table_unref(seen);
  return ok;
}

static bool has_tag(const yaml_event_t *event) {
  switch (event->type) {
  case YAML_SCALAR_EVENT: return event->data.scalar.tag != NULL;
  case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.tag != NULL;
  case YAML_MAPPING_START_EVENT: return event->data.mapping_start.tag != NULL;
  default: return false;
  }
}

/* Takes the event that begins a node and everything up to the node's end. */
static FvYamlNode *load_node(Loader *loader, yaml_event_t *event, int depth) {
  FvPlace place = place_of(event->start_mark);
  FvYamlNode *node = NULL;
  bool ok = true;
  if (depth >= FV_YAML_MAX_DEPTH) {
    fv_problems_add(loader->problems, place, "nested deeper than %d levels", FV_YAML_MAX_DEPTH);
  } else if (has_tag(event)) {
    fv_problems_add(loader->problems, place, "tags ('!…') have no meaning here");
  } else if (event->type == YAML_ALIAS_EVENT) {
    fv_problems_add(loader->problems, place, "aliases ('*%.64s') are not accepted: write the value out",
                    (char *)event->data.alias.anchor);
  } else if (event->type == YAML_SCALAR_EVENT) {
    node = scalar_node(loader, event);
  } else if (event->type == YAML_SEQUENCE_START_EVENT) {
    node = node_new(loader, FV_YAML_SEQUENCE, place);
    ok = node != NULL && load_sequence(loader, node, depth + 1);
  } else if (event->type == YAML_MAPPING_START_EVENT) {
    node = node_new(loader, FV_YAML_MAPPING, place);
    ok = node != NULL && load_mapping(loader, node, depth + 1);
  }
  yaml_event_delete(event);
  return ok ? node : NULL;
}

static bool expect_event(Loader *loader, yaml_event_type_t type) {
  yaml_event_t event;
  if (!next_event(loader, &event)) return false;
  bool same = event.type == type;
  if (!same)
    fv_problems_add(loader->problems, place_of(event.start_mark),
                    type == YAML_STREAM_END_EVENT ? "only one document ('---') is accepted in a file" : "the file is empty");
  yaml_event_delete(&event);
  return same;
}

static bool load_document(Loader *loader) {
  yaml_event_t event;
  if (!expect_event(loader, YAML_STREAM_START_EVENT) || !expect_event(loader, YAML_DOCUMENT_START_EVENT) ||
      !next_event(loader, &event))
    return false;
  loader->yaml->root = load_node(loader, &event, 0);
  return loader->yaml->root != NULL && expect_event(loader, YAML_DOCUMENT_END_EVENT) &&
         expect_event(loader, YAML_STREAM_END_EVENT);
}

FvYaml *fv_yaml_parse(const char *data, size_t length, FvEnvFn env, void *user, FvProblems *problems) {
  Loader loader = {.env = env, .user = user, .problems = problems};
  if (!yaml_parser_initialize(&loader.parser)) {
    fv_problems_add(problems, (FvPlace){0, 0}, "out of memory");
    return NULL;
  }
  yaml_parser_set_input_string(&loader.parser, (const unsigned char *)data, length);
  loader.yaml = g_new0(FvYaml, 1);
  loader.yaml->nodes = g_ptr_array_new_with_free_func(g_free);
  loader.yaml->strings = g_string_chunk_new(4096);
  bool ok = load_document(&loader);
  yaml_parser_delete(&loader.parser);
  if (!ok) {
    fv_yaml_free(loader.yaml);
    return NULL;
  }
  return loader.yaml;
}

void fv_yaml_free(FvYaml *yaml) {
  if (yaml == NULL) return;
  g_ptr_array_unref(yaml->nodes);
  g_string_chunk_free(yaml->strings);
  g_free(yaml);
}

const FvYamlNode *fv_yaml_root(const FvYaml *yaml) { return yaml->root; }

const FvYamlNode *fv_yaml_find(const FvYamlNode *mapping, const char *key) {
  if (mapping == NULL || mapping->kind != FV_YAML_MAPPING) return NULL;
  for (const FvYamlNode *node = mapping->first; node != NULL; node = node->next)
    if (g_str_equal(node->key, key)) return node;
  return NULL;
}

static char *read_all(int fd, gsize max_bytes, gsize *length) {
  GByteArray *bytes = g_byte_array_new();
  guint8 block[16384];
  ssize_t got = 0;
  while (bytes->len <= max_bytes && ((got = read(fd, block, sizeof block)) > 0 || (got < 0 && errno == EINTR)))
    if (got > 0) g_byte_array_append(bytes, block, (guint)got);
  if (got < 0 || bytes->len > max_bytes) {
    if (got >= 0) errno = EFBIG;
    g_byte_array_unref(bytes);
    return NULL;
  }
  *length = bytes->len;
  g_byte_array_append(bytes, (const guint8 *)"", 1);
  return (char *)g_byte_array_free(bytes, FALSE);
}

char *fv_read_bounded(const char *path, gsize max_bytes, gsize *length, char **error) {
  struct stat info;
  char *data = NULL;
  /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    *error = g_strdup_printf("cannot open '%s': %s", path, g_strerror(errno));
  } else if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
    *error = g_strdup_printf("'%s' is not a regular file", path);
  } else if ((data = read_all(fd, max_bytes, length)) == NULL) {
    *error = errno == EFBIG ? g_strdup_printf("'%s' has more than %" G_GSIZE_FORMAT " bytes", path, max_bytes)
                            : g_strdup_printf("cannot read '%s': %s", path, g_strerror(errno));
  }
  if (fd >= 0) close(fd);
  return data;
}
