"""Functions that are known to do no more than compute. A statement with any other needs a rule that says so.

A list of what is harmless, because a list of what is harmful is never complete: services grow functions that fetch
addresses, run programs, send mail, or run SQL that stands in a string.
"""

from __future__ import annotations

from sqlglot import exp

_TYPED = """
    Abs Acos Acosh AddMonths And AnonymousAggFunc AnyValue ApproxDistinct ApproxPercentileAccumulate
    ApproxPercentileCombine ApproxPercentileEstimate ApproxQuantile ApproxQuantiles ApproxTopK
    ApproxTopKAccumulate ApproxTopKCombine ApproxTopKEstimate ApproxTopSum ApproximateSimilarity ArgMax ArgMin
    Array ArrayAgg ArrayAll ArrayAny ArrayAppend ArrayCompact ArrayConcat ArrayConcatAgg ArrayConstructCompact
    ArrayContainedBy ArrayContains ArrayContainsAll ArrayDistinct ArrayExcept ArrayFilter ArrayFirst ArrayInsert
    ArrayIntersect ArrayLast ArrayMax ArrayMin ArrayOverlaps ArrayPosition ArrayPrepend ArrayRemove
    ArrayRemoveAt ArrayReverse ArraySize ArraySlice ArraySort ArraySum ArrayToString ArrayUnionAgg
    ArrayUniqueAgg ArraysZip Ascii Asin Asinh Atan Atan2 Atanh Avg Base64DecodeBinary Base64DecodeString
    Base64Encode BitLength BitmapBitPosition BitmapBucketNumber BitmapConstructAgg BitmapCount BitmapOrAgg
    BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg Booland Boolnot Boolor BoolxorAgg ByteLength Case Cast
    CastToStrType Cbrt Ceil CheckJson CheckXml Chr CityHash64 Coalesce CodePointsToBytes CodePointsToString
    Collate Collation CombinedAggFunc CombinedParameterizedAgg Compress Concat ConcatWs ConnectByRoot Contains
    Convert ConvertTimezone ConvertToCharset Corr Cos Cosh CosineDistance Cot Coth Count CountIf CovarPop
    CovarSamp Csc Csch CumeDist CurrentAccount CurrentAccountName CurrentAvailableRoles CurrentCatalog
    CurrentClient CurrentDatabase CurrentDate CurrentDatetime CurrentIpAddress CurrentOrganizationName
    CurrentOrganizationUser CurrentRegion CurrentRole CurrentRoleType CurrentSchema CurrentSchemas
    CurrentSecondaryRoles CurrentSession CurrentStatement CurrentTime CurrentTimestamp CurrentTimestampLTZ
    CurrentTimezone CurrentTransaction CurrentUser CurrentUserId CurrentVersion CurrentWarehouse Date DateAdd
    DateBin DateDiff DateFromParts DateFromUnixDate DateStrToDate DateSub DateToDateStr DateToDi DateTrunc
    Datetime DatetimeAdd DatetimeDiff DatetimeSub DatetimeTrunc Day DayOfMonth DayOfWeek DayOfWeekIso DayOfYear
    Dayname Decode DecodeCase DecompressBinary DecompressString Decrypt DecryptRaw Degrees DenseRank DiToDate
    DotProduct Elt Encode Encrypt EncryptRaw EndsWith EqualNull EuclideanDistance Exists Exp Explode
    ExplodingGenerateSeries Extract Factorial FarmFingerprint First FirstValue Flatten Float64 Floor Format
    FromBase FromBase32 FromBase64 FromISO8601Date FromISO8601Timestamp FromISO8601TimestampNanos FromJson
    GenerateDateArray GenerateSeries GenerateTimestampArray Generator GetExtract GetIgnoreCase Getbit Greatest
    GroupConcat Grouping GroupingId HashAgg Hex HexDecodeString Hll Host Hour If Initcap Inline Int64 IsArray
    IsAscii IsInf IsNan IsNullValue JSONArray JSONArrayAgg JSONArrayAppend JSONArrayContains JSONArrayInsert
    JSONBContains JSONBContainsAllTopKeys JSONBContainsAnyTopKeys JSONBContainsTopKey JSONBDeleteAtPath
    JSONBExists JSONBExtract JSONBExtractScalar JSONBObjectAgg JSONBPathExists JSONBool JSONCast JSONExists
    JSONExtract JSONExtractArray JSONExtractScalar JSONFormat JSONKeys JSONKeysAtDepth JSONObject JSONObjectAgg
    JSONRemove JSONSet JSONStripNulls JSONType JSONValueArray JarowinklerSimilarity JustifyDays JustifyHours
    JustifyInterval Kurtosis Lag Last LastDay LastValue LaxBool LaxFloat64 LaxInt64 LaxString Lead Least Left
    Length Levenshtein List Ln Localtime Localtimestamp Log LogicalAnd LogicalOr Lower LowerHex MD5 MD5Digest
    MD5NumberLower64 MD5NumberUpper64 MakeInterval ManhattanDistance Map MapCat MapContainsKey MapDelete
    MapFromEntries MapInsert MapKeys MapPick MapSize MatchAgainst Max Median Min Minhash MinhashCombine Minute
    Mode Month Monthname MonthsBetween Nanvl Negative NextDay Normal Normalize NthValue Ntile Nullif NumberToStr
    Nvl2 ObjectAgg ObjectId ObjectInsert ObjectTransform Or Overlay Pad ParameterizedAgg ParseBignumeric
    ParseDatetime ParseIp ParseJSON ParseNumeric ParseTime ParseUrl PercentRank PercentileCont PercentileDisc Pi
    Posexplode PosexplodeOuter Pow PreviousDay Quantile Quarter Radians Rand Randn Randstr RangeBucket RangeN
    Rank Reduce RegDomain RegexpCount RegexpExtract RegexpExtractAll RegexpFullMatch RegexpILike RegexpInstr
    RegexpLike RegexpReplace RegexpSplit RegexpSubstr RegrAvgx RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope
    RegrSxx RegrSxy RegrSyy RegrValx RegrValy Repeat Replace Reverse Right Rint Round RowNumber RtrimmedLength
    SHA SHA1Digest SHA2 SHA2Digest SafeAdd SafeConvertBytesToString SafeDivide SafeMultiply SafeNegate
    SafeSubtract Search SearchIp Sec Sech Second Seq1 Seq2 Seq4 Seq8 SessionUser Shuffle Sign Sin Sinh Skewness
    Soundex SoundexP123 Space Split SplitPart SplitToTable Sqrt StDistance StPoint Stack StandardHash StarMap
    StartsWith Stddev StddevPop StddevSamp StrPosition StrToDate StrToMap StrToTime StrToUnix String
    StringToArray StripNullValue Strtok StrtokSplitToTable StrtokToArray Struct StructExtract Stuff Substring
    SubstringIndex Sum Systimestamp Tan Tanh Time TimeAdd TimeDiff TimeFromParts TimeSlice TimeStrToDate
    TimeStrToTime TimeStrToUnix TimeSub TimeToStr TimeToTimeStr TimeToUnix TimeTrunc Timestamp TimestampAdd
    TimestampDiff TimestampFromParts TimestampLtzFromParts TimestampSub TimestampTrunc TimestampTzFromParts
    ToArray ToBase32 ToBase64 ToBinary ToBoolean ToChar ToCodePoints ToDays ToDecfloat ToDouble ToMap ToNumber
    ToVariant Transform Translate Trim Trunc Try TryBase64DecodeBinary TryBase64DecodeString TryCast
    TryHexDecodeBinary TryHexDecodeString TryToDecfloat TsOrDiToDi TsOrDsAdd TsOrDsDiff TsOrDsToDate
    TsOrDsToDateStr TsOrDsToDatetime TsOrDsToTime TsOrDsToTimestamp Typeof Unhex Unicode Uniform UnixDate
    UnixMicros UnixMillis UnixSeconds UnixToStr UnixToTime UnixToTimeStr Unnest Upper UtcDate UtcTime
    UtcTimestamp Uuid VarMap Variance VariancePop Week WeekOfYear WeekStart WeightString WidthBucket XMLElement
    XMLGet Xor Year YearOfWeek YearOfWeekIso Zipf _ExplodeOuter
"""
"""Classes of sqlglot 30.30. A class that a later release adds is not known here, until somebody has looked at it."""

_NAMED = """
    abs acosd add_days add_hours add_minutes add_months add_seconds add_weeks add_years addhours aggregate
    all_match any any_match approx_most_frequent argmax argmin array_cat array_construct array_count array_dims
    array_flatten array_generate_range array_join array_length array_lower array_ndims array_positions
    array_replace array_sort array_to_json array_to_string array_union array_upper arrayconcat arrayelement
    arrayenumerate arrayfilter arrayfirst arrayjoin arraymap arrayreduce arrayreverse arrays_overlap arraysort
    arraystringconcat arrayuniq as_array as_char as_date as_decimal as_double as_integer as_object asinh
    assumenotnull at_timezone avgif bar bernoulli bin bit_count bit_length bit_xor bitand bitor bitshiftleft
    bitshiftright bitxor bool_and bool_or btrim cardinality cast_to_type ceiling char char_length
    character_length checksum chr classify clock_timestamp coalesce color combinations concat_ws contains_substr
    cosine_similarity count_if countif crc32 cume_dist date_format date_parse date_part dateadd datediff
    datename dateofpart day_name day_of_month day_of_week day_of_year dayname dayofweek dayofyear days decimal
    div div0 div0null divide dow doy each_top_k edit_distance element_at empty endswith epoch epoch_ms equals
    every exclude extract_values factorial filter find_in_set firstvalue flatten format_date format_datetime
    format_number format_timestamp formatdatetime formatreadablequantity formatreadablesize from_base
    from_big_endian_64 from_days from_iso8601_date from_unixtime from_utc_timestamp fromunixtimestamp gcd
    generate_array generate_subscripts generate_uuid geomean getdate greatcircledistance group_concat grouparray
    groupuniqarray hamming_distance hash hash64 hex histogram hll human_readable_seconds iff ifnull iif infinity
    initcap insert instr int_div intdiv inverse_normal_cdf is_array is_boolean is_date is_decimal is_finite
    is_infinite is_integer is_json_scalar is_nan is_null_value is_object is_timestamp is_varchar isfinite
    isinfinite isnan isnotnull isnull iso_week isodow json_agg json_array json_array_contains
    json_array_elements json_array_elements_text json_array_get json_array_length json_build_array
    json_build_object json_each json_each_text json_extract_path json_extract_path_text json_extract_scalar
    json_object json_object_agg json_object_keys json_parse json_query json_quote json_size json_strip_nulls
    json_type json_typeof json_valid json_value jsonb_agg jsonb_array_elements jsonb_array_elements_text
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_path_query jsonb_pretty jsonb_set
    jsonb_strip_nulls jsonb_typeof jsonextract jsonextractint jsonextractraw jsonextractstring jsonhas
    jsonlength julianday kurtosis_pop kurtosis_samp lag lastvalue lcase lcm length lengthutf8 likely
    list_aggregate list_contains list_distinct list_extract list_filter list_position list_reduce list_slice
    list_sort list_sum list_transform list_value listagg localtimestamp locate log10 log2 lower lowerutf8 lpad
    ltrim luhn_check make_date make_interval make_time make_timestamp make_timestamptz map_agg map_concat
    map_entries map_filter map_from_entries map_keys map_union map_values map_zip_with match max_by md5
    median_exact min_by minus mod modulo monthname months_between multi_map_agg multiif multimap_agg
    multimatchany multiply ndims negate ngram ngrams nlssort none_match normal_cdf not_distinct now nullifzero
    numbers numeric nvl nvl2 object_agg object_construct object_construct_keep_null object_delete object_keys
    object_pick octet_length parse_date parse_datetime parse_duration parse_json parse_time parse_timestamp
    parsedatetimebesteffort percent_rank percentile percentile_approx pi plus pmod position
    positioncaseinsensitive pow power printf qdigest_agg quantileexact quantiles quarter quote_ident
    quote_literal quote_nullable rand random range ratio_to_report regexp regexp_contains regexp_count
    regexp_extract regexp_extract_all regexp_instr regexp_like regexp_matches regexp_position regexp_replace
    regexp_split regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_count repeat
    replaceall replaceone replaceregexpall replaceregexpone reverse reverseutf8 rlike round row row_number
    row_to_json rpad rtrim safe_cast safe_divide scale second sequence sha1 sha224 sha256 sha384 sha512 shuffle
    sign size slice sort_array soundex splitbychar splitbystring spooky_hash_v2_32 sqrt square st_area
    st_asgeojson st_astext st_contains st_distance st_geogpoint st_geometryfromtext st_intersects st_length
    st_makepoint st_within st_x st_y startofday startofhour startofmonth startofquarter startofweek startofyear
    starts_with startswith statement_timestamp str strftime string_agg string_to_array strip strleft strlen
    strpos strright struct_pack substr substring substring_index substringutf8 sumif sysdate tdigest_agg
    time_bucket time_format time_to_sec timeofday timezone timezone_hour timezone_minute to_array to_base
    to_base64 to_base64url to_big_endian_64 to_binary to_boolean to_char to_clob to_date to_datetime to_days
    to_decimal to_double to_geography to_geojson to_hex to_ieee754_64 to_iso8601 to_json to_json_string to_jsonb
    to_milliseconds to_number to_numeric to_object to_seconds to_time to_timestamp to_timestamp_ltz
    to_timestamp_ntz to_timestamp_tz to_unixtime to_utc_timestamp to_utf8 to_varchar to_variant todate
    todatetime todatetime64 todayofmonth todayofweek todayofyear todecimal32 todecimal64 tofixedstring tofloat32
    tofloat64 tohour toint16 toint32 toint64 toint8 tointervalday tointervalhour tointervalminute
    tointervalmonth tointervalsecond tointervalweek tointervalyear tominute tomonday tomonth tonullable
    toquarter tosecond tostartofday tostartoffiveminutes tostartofhour tostartofinterval tostartofminute
    tostartofmonth tostartofquarter tostartofweek tostartofyear tostring total totypename touint16 touint32
    touint64 touint8 tounixtimestamp toweek toyear toyearweek toyyyymm toyyyymmdd toyyyymmddhhmmss
    transaction_timestamp transform transform_keys transform_values translate trigram_similarity trim trimboth
    trimleft trimright trunc truncate try_base64_decode_string try_cast try_parse_json try_to_binary
    try_to_boolean try_to_date try_to_decimal try_to_double try_to_geography try_to_number try_to_numeric
    try_to_time try_to_timestamp tuple tupleelement typeof ucase unbase64 unhex unicode uniq uniqcombined
    uniqexact uniqhll12 unix_date unix_timestamp unlikely upperutf8 url_decode url_encode url_extract_fragment
    url_extract_host url_extract_parameter url_extract_path url_extract_port url_extract_protocol
    url_extract_query uuid uuid_string values week_of_year weekday weekofyear width width_bucket
    wilson_interval_lower wilson_interval_upper with_timezone xxhash64 year_of_week yearweek yow zip zip_with
"""

TYPED: frozenset[type[exp.Expr]] = frozenset(getattr(exp, name) for name in _TYPED.split() if hasattr(exp, name))
NAMED: frozenset[str] = frozenset(_NAMED.split())


def unknown(node: exp.Func) -> str | None:
    """The name of a function that is not known to be harmless, in lower case; None for one that is."""
    parent = node.parent
    qualified = isinstance(parent, exp.Dot) and parent.expression is node
    if qualified:
        owner = parent.this.sql() if isinstance(parent, exp.Dot) else ""
        if owner.lower().replace('"', "") != "pg_catalog":
            return f"{owner}.{name_of(node)}".lower()  # somebody's own function, whatever it is called
    if type(node) in TYPED:
        return None
    name = name_of(node).lower()
    return None if name in NAMED else name


def name_of(node: exp.Func) -> str:
    """What the function is called in the text."""
    name = node.name if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) else ""
    return name or node.sql_name()
