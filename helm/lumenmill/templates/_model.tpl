{{/* One complete entry of `models`, as JSON: (list root entry).
     The defaults, then those for GPUs if it has some, then its own values; and what follows from them. */}}
{{- define "lumenmill.model" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
{{- $own := index . 1 -}}
{{- $model := deepCopy $values.modelDefaults -}}
{{- if int (ternary $own.gpus $model.gpus (hasKey $own "gpus")) -}}
{{- $model = mergeOverwrite $model (deepCopy $values.gpuModelDefaults) -}}
{{- end -}}
{{- $model = mergeOverwrite $model (deepCopy $own) -}}
{{- $isScaled := and (eq $values.scaling.by "keda") (gt (int $model.maxReplicas) 0) -}}
{{- $_ := set $model "isScaled" $isScaled -}}
{{- $_ = set $model "scaling" (ternary $values.scaling.by "none" $isScaled) -}}
{{- $_ = set $model "isNeural" (has $model.service (list "imager" "relighter" "video" "captioner-neural")) -}}
{{- $_ = set $model "isOffline" (or $values.offline $model.fetch.enabled) -}}
{{- $_ = set $model "fullname" (printf "%s-%s" (include "lumenmill.fullname" $root) $model.name) -}}
{{- if and (int $model.gpus) $model.gpuType (eq $values.gpu.mode "devicePlugin") -}}
{{- $_ = set $model "nodeSelector" (merge (dict $values.gpu.typeLabel $model.gpuType) $model.nodeSelector) -}}
{{- end -}}
{{- if int $model.gpus -}}
{{- $_ = set $model "tolerations" (concat $values.gpu.tolerations $model.tolerations) -}}
{{- end -}}
{{- toJson $model -}}
{{- end -}}

{{/* The model's own environment. Takes the complete model. Settings are written as `lumenmill up --models` takes them, through
     JSON: Helm's numbers are floats, and the plain text of 1000000 is 1e+06. */}}
{{- define "lumenmill.modelEnv" -}}
{{- with .model }}
- {name: LUMENMILL_MODEL, value: {{ . | quote }}}
{{- end }}
{{- if .isNeural }}
- {name: LUMENMILL_CACHE_DIR, value: /var/cache/lumenmill/checkpoints}
{{- if gt (int .gpus) 1 }}
- {name: LUMENMILL_GPUS, value: {{ int .gpus | quote }}}
{{- end }}
{{- end }}
{{- range $name, $value := .settings }}
- {name: LUMENMILL_{{ upper $name }}, value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}}
{{- end }}
{{- range .secretFiles }}
- {name: LUMENMILL_{{ upper .setting }}, value: /etc/lumenmill-secrets/{{ .setting }}}
{{- end }}
{{- with .env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Secrets whose keys become environment variables. Takes the complete model. */}}
{{- define "lumenmill.envFrom" -}}
{{- with .envFromSecrets }}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . }}}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The volume of the checkpoints. Takes the complete model. */}}
{{- define "lumenmill.cacheVolume" -}}
- name: cache
  {{- if eq .cache.kind "pvc" }}
  persistentVolumeClaim:
    claimName: {{ .cache.existingClaim | default (printf "%s-cache" .fullname) }}
  {{- else if eq .cache.kind "hostPath" }}
  hostPath: {path: {{ .cache.path }}, type: DirectoryOrCreate}
  {{- else }}
  emptyDir: {sizeLimit: {{ .cache.size }}}
  {{- end }}
{{- end -}}

{{/* The name of the template of a model's claim: (list root model). A template is immutable, so another request is another
     template. */}}
{{- define "lumenmill.gpuClaim" -}}
{{- $model := index . 1 -}}
{{- $asked := list (int $model.gpus) $model.gpuType (index . 0).Values.gpu.dra -}}
{{ $model.fullname }}-gpus-{{ toJson $asked | sha256sum | trunc 8 }}
{{- end -}}

{{/* Requests and limits with the GPUs of the device plugin, or the claim of dynamic allocation: (list root model). */}}
{{- define "lumenmill.modelResources" -}}
{{- $gpu := (index . 0).Values.gpu -}}
{{- $model := index . 1 -}}
{{- $resources := deepCopy $model.resources -}}
{{- if int $model.gpus -}}
{{- if eq $gpu.mode "devicePlugin" -}}
{{- $_ := set $resources "limits" (merge (dict $gpu.resourceName (int $model.gpus)) ($resources.limits | default dict)) -}}
{{- else -}}
{{- $_ := set $resources "claims" (list (dict "name" "gpus")) -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
