{{/* Refuse a wrong entry of `models`, by its name: (list root entry). */}}
{{- define "lumenmill.validateModel" -}}
{{- $own := index . 1 -}}
{{- $services := keys (include "lumenmill.settingsOf" (index . 0) | fromJson) | sortAlpha -}}
{{- if not (has $own.service $services) -}}
{{- fail (printf "models: %s: service: must be one of %s" $own.name (join ", " $services)) -}}
{{- end -}}
{{- $model := include "lumenmill.model" . | fromJson -}}
{{- $fullname := include "lumenmill.fullname" (index . 0) -}}
{{- if gt (len (printf "%s-%s" $fullname $model.name)) 52 -}}
{{- fail (printf "models: %s-%s is too long for the objects named after it (52 characters); set fullnameOverride" $fullname $model.name) -}}
{{- end -}}
{{- include "lumenmill.validateService" $model -}}
{{- if and $own.minReplicas (not $model.maxReplicas) -}}
{{- fail (printf "models: %s has minReplicas and no maxReplicas, without which it is not scaled: set maxReplicas too, or replicas for a fixed number" $model.name) -}}
{{- end -}}
{{- if and $model.maxReplicas (gt (int $model.minReplicas) (int $model.maxReplicas)) -}}
{{- fail (printf "models: %s has minReplicas above maxReplicas" $model.name) -}}
{{- end -}}
{{- if and $model.gpuType (not (int $model.gpus)) -}}
{{- fail (printf "models: %s has a gpuType and no gpus" $model.name) -}}
{{- end -}}
{{- if and $model.fetch.enabled (not $model.isNeural) -}}
{{- fail (printf "models: %s has nothing to fetch; only neural services have checkpoints" $model.name) -}}
{{- end -}}
{{- if and ($own.fetch | default dict).tokenSecret (not $model.fetch.enabled) -}}
{{- fail (printf "models: %s: fetch.tokenSecret: nothing is fetched; set fetch.enabled, or leave it out" $model.name) -}}
{{- end -}}
{{- $cache := $own.cache | default dict -}}
{{- if and $cache.existingClaim (ne $model.cache.kind "pvc") -}}
{{- fail (printf "models: %s: cache.existingClaim: is read only with cache.kind: pvc" $model.name) -}}
{{- end -}}
{{- if and $cache.storageClassName (or (ne $model.cache.kind "pvc") $model.cache.existingClaim) -}}
{{- fail (printf "models: %s: cache.storageClassName: is read only with cache.kind: pvc and no existingClaim" $model.name) -}}
{{- end -}}
{{- if and $cache.path (ne $model.cache.kind "hostPath") -}}
{{- fail (printf "models: %s: cache.path: is read only with cache.kind: hostPath" $model.name) -}}
{{- end -}}
{{- if and (eq $model.cache.kind "hostPath") (not $model.cache.path) -}}
{{- fail (printf "models: %s: cache.path: name the folder of the node" $model.name) -}}
{{- end -}}
{{- range $own := list "model" "listen_address" "metrics_address" "health_address" "store_url" "token_file" "callers_file" "cache_dir" "offline" "drain_s" "gpus" -}}
{{- if hasKey $model.settings $own -}}
{{- fail (printf "models: %s: settings.%s is set by the chart" $model.name $own) -}}
{{- end -}}
{{- end -}}
{{- include "lumenmill.validateSettings" . -}}
{{- end -}}

{{/* Check the model of docs/models.md that the service loads. Takes the complete model. */}}
{{- define "lumenmill.validateService" -}}
{{- if and .isNeural (not .model) -}}
{{- fail (printf "models: %s: model: name what %s shall load, an entry of docs/models.md" .name .service) -}}
{{- end -}}
{{- if and .model (not .isNeural) -}}
{{- fail (printf "models: %s: model: %s loads none; leave it out" .name .service) -}}
{{- end -}}
{{- if and (eq .service "captioner-neural") (ne (get .settings "family") "vision_language") -}}
{{- fail (printf "models: %s: settings.family: must be vision_language; without it captioner-neural only measures, as captioner does" .name) -}}
{{- end -}}
{{- end -}}

{{/* Refuse settings that no service reads: (list root entry). Settings of an entry must be settings of its service; those of the
     defaults may be settings of any service, since all get them. */}}
{{- define "lumenmill.validateSettings" -}}
{{- $values := (index . 0).Values -}}
{{- $own := index . 1 -}}
{{- $known := include "lumenmill.settingsOf" (index . 0) | fromJson -}}
{{- $names := keys ($own.settings | default dict) -}}
{{- range $own.secretFiles -}}{{- $names = append $names .setting -}}{{- end -}}
{{- range $name := sortAlpha $names -}}
{{- if not (has $name (get $known $own.service)) -}}
{{- fail (printf "models: %s: settings.%s: %s reads none of this name; its README lists its settings" $own.name $name $own.service) -}}
{{- end -}}
{{- end -}}
{{- $any := list -}}
{{- range $known -}}{{- $any = concat $any . -}}{{- end -}}
{{- range $defaults := list $values.modelDefaults $values.gpuModelDefaults -}}
{{- range $name := keys ($defaults.settings | default dict) | sortAlpha -}}
{{- if not (has $name $any) -}}
{{- fail (printf "modelDefaults and gpuModelDefaults: settings.%s: no service reads one of this name" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The names of the settings of each service, as JSON. */}}
{{- define "lumenmill.settingsOf" -}}
{{- .Files.Get "files/settings.yaml" | fromYaml | toJson -}}
{{- end -}}
